/**
 * The closed list of what people are told, and webhooks with them: one line a kind, with the sentence that says when.
 * A webhook chooses among these; every message has the same shape, `messageSchema`. Keep the list in alphabetical order.
 */
export const messageCatalogue = {
  'access.recover': 'A recovery link for an admin was made on the host.',
  'agent.revoke': 'An agent was revoked by somebody other than its owner.',
  'agent.suspend': 'An agent was suspended by somebody other than its owner, or by Countersign.',
  'api_token.end': 'An API token was ended because it had leaked.',
  'client.delete': 'A client ended its own registration.',
  'client.metadata_change': 'The metadata of an approved client changed.',
  'client.secret_end': 'A client secret was ended because it had leaked.',
  'guard.gap':
    'Reports of a guard are missing or do not follow from the ones before; at most one an hour and guard.',
  'history.broken': 'History does not verify.',
  'history.intact': 'History verifies again.',
  'installation.disk_space': 'The disk of the installation runs low.',
  'installation.issuance_stop':
    'Nothing is issued any more: a guard has seen a newer history than the database holds, or a backup was restored.',
  'invitation.confirm': 'A second admin confirmed a password reset link.',
  'invitation.create': 'Somebody was invited.',
  'person.identity': 'An account of the identity provider was linked or unlinked.',
  'person.password': 'A password was changed.',
  'person_key.add': 'A passkey or a signing key was added to your account.',
  'person_key.end': 'A passkey or a signing key of yours was removed or reset.',
  'request.approve': 'A request was approved.',
  'request.comment': 'Somebody commented on a request.',
  'request.expire': 'A request expired undecided.',
  'request.reject': 'A request was rejected.',
  'request.request_changes': 'Changes were asked for.',
  'request.submit': 'A request waits for approvers, or has nobody who could decide it.',
  'resource_token.end': 'A token of an MCP server was ended because it had leaked.',
  'role.confirm': 'A second admin confirmed a role.',
  'role.grant': 'A role was granted, or waits for a second admin.',
  'server.probe': 'A server answers without its guard, or no longer does.',
  'server.retire': 'A server was retired.',
  'server.sync': 'The tools of a server could not be read three times in a row.',
  'token.forged': 'A token with a true signature was presented that nobody issued; its key was killed.',
  'tool.rename': 'A tool goes on under another name.',
  'webhook.pause': 'A webhook was paused because nothing had reached it for days.',
  'webhook.test': 'Somebody tried a webhook out.',
} as const satisfies Record<string, string>;

export type MessageKind = keyof typeof messageCatalogue;
export const messageKinds = Object.keys(messageCatalogue) as MessageKind[];
