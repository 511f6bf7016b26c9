import { describeConfig, weaknessesOf } from '#lib/platform/describe-config.ts';
import { readConfig } from '#lib/platform/env.ts';
import { configSchema } from '#lib/platform/settings.ts';

/** Prints what is configured and every setting there is. Never a secret. */
export function printConfig(): void {
  const config = readConfig({});
  console.log([...describeConfig(config), ...weaknessesOf(config)].join('\n'));
  console.log('\nSettings:');
  for (const [name, schema] of Object.entries(configSchema.shape)) {
    console.log(`  ${name}\n      ${schema.description ?? ''}`);
  }
}
