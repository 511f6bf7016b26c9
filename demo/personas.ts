import type { Role } from '#lib/platform/actor.ts';

export type PersonaKey = 'olive' | 'oscar' | 'ava' | 'abel' | 'audrey' | 'adam';

export type Persona = {
  key: PersonaKey;
  displayName: string;
  email: string;
  roles: readonly Role[];
  does: string;
};

/** The people of the demo. Their passwords are random and kept nowhere: one continues as them with a button. */
export const personas: readonly Persona[] = [
  {
    key: 'olive',
    displayName: 'Olive Hart',
    email: 'olive@demo.example',
    roles: ['owner'],
    does: 'asks for agents and keeps them',
  },
  {
    key: 'oscar',
    displayName: 'Oscar Lindqvist',
    email: 'oscar@demo.example',
    roles: ['owner'],
    does: 'asks for agents and keeps them',
  },
  {
    key: 'ava',
    displayName: 'Ava Moreno',
    email: 'ava@demo.example',
    roles: ['approver'],
    does: 'reviews and decides',
  },
  {
    key: 'abel',
    displayName: 'Abel Osei',
    email: 'abel@demo.example',
    roles: ['approver'],
    does: 'reviews and decides',
  },
  {
    key: 'audrey',
    displayName: 'Audrey Chen',
    email: 'audrey@demo.example',
    roles: ['auditor'],
    does: 'reads the whole history',
  },
  {
    key: 'adam',
    displayName: 'Adam Kowalski',
    email: 'adam@demo.example',
    roles: ['admin'],
    does: 'runs people, servers and guards',
  },
];
