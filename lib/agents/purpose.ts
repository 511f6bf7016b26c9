import { z } from 'zod';

export const dataClasses = ['public', 'internal', 'confidential', 'restricted'] as const;
export type DataClass = (typeof dataClasses)[number];

export const dataClassWords: Record<DataClass, string> = {
  public: 'Public: anyone may read it',
  internal: 'Internal: for people of the organisation',
  confidential: 'Confidential: for named groups only',
  restricted: 'Restricted: personal, regulated or secret data',
};

/** What an agent is for, typed so that policies can read it and calls can be compared with it. */
export const purposeSchema = z
  .strictObject({
    task: z
      .string()
      .trim()
      .min(10, 'Say in a sentence what the agent will do.')
      .max(1000, 'Keep it under 1,000 characters.'),
    systems: z.array(z.string().trim().min(1).max(120)).max(20).default([]),
    dataClass: z.enum(dataClasses),
    /** A person watches while it works. */
    attended: z.boolean(),
    endCondition: z
      .string()
      .trim()
      .min(3, 'Say when the work is done.')
      .max(300, 'Keep it under 300 characters.'),
    ticket: z.string().trim().max(200).nullable().default(null),
  })
  .meta({ id: 'Purpose' });

export type Purpose = z.output<typeof purposeSchema>;
