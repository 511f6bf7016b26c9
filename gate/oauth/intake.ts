import { parseRanges } from '#lib/platform/address.ts';
import { Intake } from '#lib/registration/intake.ts';
import type { Gate } from '../context.ts';

const intakes = new WeakMap<Gate, Intake>();

/** What unknown parties may create and change here, counted together however they do it. One for each gate. */
export function intakeOf(gate: Gate): Intake {
  let known = intakes.get(gate);
  if (!known) {
    const { config } = gate;
    known = new Intake(gate.db, gate.clock, {
      networks: parseRanges(config.registrationNetworks),
      perSourcePerMinute: config.registrationsPerSource,
      perMinute: config.registrationsPerMinute,
      maxUnclaimedPerSource: config.unclaimedPerSource,
      maxUnclaimed: config.unclaimedClients,
    });
    intakes.set(gate, known);
  }
  return known;
}
