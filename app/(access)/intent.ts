/** What somebody was about to do before they had to sign in, in words: so that nobody types a password into a mystery. */
export function intentOf(to: string): string | null {
  const [, first = '', second] = (to.split('?')[0] ?? '').split('/');
  switch (first) {
    case 'claim':
      return 'A client on this computer asks to connect. Sign in to see who is asking and to decide whether you claim it.';
    case 'waiting':
      return 'You were waiting for a decision on a request. Sign in to go on waiting.';
    case 'review':
      return second ? 'You were about to review a request.' : 'You were about to open the review queue.';
    case 'requests':
      return second ? 'You were about to open a request.' : 'You were about to open the requests.';
    case 'agents':
      return second ? 'You were about to open an agent.' : 'You were about to open the agents.';
    case '':
      return null;
    default: {
      const places: Record<string, string> = {
        audit: 'the history',
        clients: 'the clients',
        guards: 'the guards',
        people: 'the list of people',
        revocations: 'a revocation receipt',
        servers: 'the servers and tools',
        settings: 'your settings',
      };
      return Object.hasOwn(places, first)
        ? `You were about to open ${places[first]}.`
        : 'You were about to open a page.';
    }
  }
}
