export type Role = 'owner' | 'approver' | 'auditor' | 'admin';

/** What the frame of the console needs to know about the person looking at it. */
export type Viewer = {
  personId: string;
  displayName: string;
  email: string;
  roles: ReadonlyArray<Role>;
  /** Name of the installation's environment, as in "production" or "demo"; null shows none. */
  environment: string | null;
  /** Counts in the navigation. */
  badges: { review?: number; requests?: number };
};
