import type { z } from 'zod';
import {
  createApiToken,
  createApiTokenInput,
  endApiToken,
  endApiTokenInput,
} from '#lib/access/api-tokens.ts';
import { addCommandLineKey, addCommandLineKeyInput } from '#lib/access/command-line-keys.ts';
import { beginConfirmation, beginConfirmationInput, confirm, confirmInput } from '#lib/access/confirm.ts';
import { confirmWithProvider, confirmWithProviderInput } from '#lib/access/confirm-with-provider.ts';
import {
  addGroupMember,
  createGroup,
  createGroupInput,
  groupMemberInput,
  removeGroupMember,
} from '#lib/access/groups.ts';
import {
  confirmPasswordReset,
  confirmPasswordResetInput,
  endInvitation,
  endInvitationInput,
  invitePerson,
  invitePersonInput,
  issuePasswordReset,
  issuePasswordResetInput,
  readInvitation,
  readInvitationInput,
  redeemInvitation,
  redeemInvitationInput,
} from '#lib/access/invitations.ts';
import {
  linkProvider,
  linkProviderInput,
  unlinkPerson,
  unlinkPersonInput,
  unlinkProvider,
  unlinkProviderInput,
} from '#lib/access/link-provider.ts';
import {
  changePassword,
  changePasswordInput,
  deactivatePerson,
  deactivatePersonInput,
  editProfile,
  editProfileInput,
  reactivatePerson,
  reactivatePersonInput,
} from '#lib/access/people.ts';
import {
  addPasskey,
  addPasskeyInput,
  beginPasskey,
  beginPasskeyInput,
  removeKey,
  removeKeyInput,
  renameKey,
  renameKeyInput,
} from '#lib/access/person-keys.ts';
import { resetKeys, resetKeysInput } from '#lib/access/reset-keys.ts';
import {
  confirmRole,
  confirmRoleInput,
  endRole,
  endRoleInput,
  grantRole,
  grantRoleInput,
} from '#lib/access/roles.ts';
import {
  endOtherSessions,
  endOtherSessionsInput,
  endSession,
  endSessionInput,
  openSession,
  openSessionInput,
  signOut,
  signOutInput,
} from '#lib/access/sessions.ts';
import { signIn, signInInput } from '#lib/access/sign-in.ts';
import {
  admitProviderSignIn,
  admitProviderSignInInput,
  signInWithProvider,
  signInWithProviderInput,
} from '#lib/access/sign-in-with-provider.ts';
import { testProvider, testProviderInput } from '#lib/access/test-provider.ts';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { commentRequest, commentRequestInput } from '#lib/approvals/comment-request.ts';
import { discardDraft, discardDraftInput, saveDraft, saveDraftInput } from '#lib/approvals/composer-draft.ts';
import { createRequest, createRequestInput } from '#lib/approvals/create-request.ts';
import { editRequest, editRequestInput } from '#lib/approvals/edit-request.ts';
import { linkInstance, linkInstanceInput } from '#lib/approvals/link-instance.ts';
import { previewRequest, previewRequestInput } from '#lib/approvals/preview-request.ts';
import { readPaste, readPasteInput } from '#lib/approvals/read-paste.ts';
import { rejectRequest, rejectRequestInput } from '#lib/approvals/reject-request.ts';
import { requestChanges, requestChangesInput } from '#lib/approvals/request-changes.ts';
import { beginApproval, beginApprovalInput } from '#lib/approvals/signed-approval.ts';
import { submitClaim, submitClaimInput } from '#lib/approvals/submit-claim.ts';
import { submitRequest, submitRequestInput } from '#lib/approvals/submit-request.ts';
import { withdrawRequest, withdrawRequestInput } from '#lib/approvals/withdraw-request.ts';
import { beginExport, beginExportInput } from '#lib/audit/export-events.ts';
import { classifyTools, classifyToolsInput } from '#lib/catalogue/classify-tools.ts';
import { probeServer, probeServerInput } from '#lib/catalogue/probe-server.ts';
import { renameTool, renameToolInput } from '#lib/catalogue/rename-tool.ts';
import { addServer, addServerInput, editServer, editServerInput } from '#lib/catalogue/servers.ts';
import { syncServer, syncServerInput } from '#lib/catalogue/sync-server.ts';
import {
  changeToolSet,
  changeToolSetInput,
  createToolSet,
  createToolSetInput,
} from '#lib/catalogue/tool-sets.ts';
import {
  createResourceToken,
  createResourceTokenInput,
  endResourceToken,
  endResourceTokenInput,
  rotateResourceToken,
  rotateResourceTokenInput,
} from '#lib/credentials/resource-tokens.ts';
import { revealCredential, revealCredentialInput } from '#lib/credentials/reveal-credential.ts';
import {
  checkKeys,
  checkKeysInput,
  killKeyInput,
  killSigningKey,
  rotateKeyInput,
  rotateSigningKey,
} from '#lib/credentials/signing-keys.ts';
import { markNotificationsRead, markReadInput } from '#lib/jobs/notifications.ts';
import { testMail, testMailInput } from '#lib/jobs/test-mail.ts';
import {
  createWebhook,
  createWebhookInput,
  editWebhook,
  editWebhookInput,
  endWebhook,
  endWebhookInput,
  pauseWebhook,
  replayDeliveries,
  replayDeliveriesInput,
  replayDelivery,
  replayDeliveryInput,
  resumeWebhook,
  rotateWebhookSecret,
  rotateWebhookSecretInput,
  testWebhook,
  webhookIdInput,
} from '#lib/jobs/webhooks.ts';
import { continueApproved, continueApprovedInput } from '#lib/registration/continue-approved.ts';
import { continueTransaction, continueTransactionInput } from '#lib/registration/continue-transaction.ts';
import {
  endQuarantine,
  endQuarantineInput,
  forgetClient,
  forgetClientInput,
} from '#lib/registration/end-quarantine.ts';
import { joinWaiting, joinWaitingInput } from '#lib/registration/join-waiting.ts';
import {
  denyDevice,
  denyDeviceInput,
  matchDevice,
  matchDeviceInput,
  openDevice,
  openDeviceInput,
} from '#lib/registration/open-device.ts';
import { openHandle, openHandleInput } from '#lib/registration/open-handle.ts';
import { discardPending, discardPendingInput } from '#lib/registration/pending-metadata.ts';
import { endLeakedSecret, endLeakedSecretInput } from '#lib/revocation/end-leaked-secret.ts';
import {
  inviteGuard,
  inviteGuardInput,
  mintCatalogueToken,
  revokeGuard,
  revokeGuardInput,
} from '#lib/revocation/guards.ts';
import { resumeIssuance, resumeIssuanceInput } from '#lib/revocation/resume-issuance.ts';
import { retireServer, retireServerInput } from '#lib/revocation/retire-server.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import type { GateCtx } from './context.ts';

/** A verb as the faces know it: how its input is parsed and what runs. The rules live in the verb itself. */
export type Verb<Schema extends z.ZodType, Output> = {
  readonly input: Schema;
  run(ctx: GateCtx, input: z.output<Schema>): Promise<Output>;
};

/** Any verb, for code that finds one by name and has its input parsed by `input` first. */
export type AnyVerb = { readonly input: z.ZodType; run(ctx: GateCtx, input: never): Promise<unknown> };

export function verb<Schema extends z.ZodType, Output>(
  input: Schema,
  run: (ctx: GateCtx, input: z.output<Schema>) => Promise<Output>,
): Verb<Schema, Output> {
  return { input, run };
}

/**
 * Every mutating verb, by the name the console calls it. One line each; the console process knows this list only
 * by its type.
 */
export const verbs = {
  'access.admitProviderSignIn': verb(admitProviderSignInInput, (ctx) => admitProviderSignIn(ctx)),
  'access.addCommandLineKey': verb(addCommandLineKeyInput, addCommandLineKey),
  'access.addGroupMember': verb(groupMemberInput, addGroupMember),
  'access.addPasskey': verb(addPasskeyInput, addPasskey),
  'access.beginConfirmation': verb(beginConfirmationInput, (ctx) => beginConfirmation(ctx)),
  'access.beginPasskey': verb(beginPasskeyInput, (ctx) => beginPasskey(ctx)),
  'access.changePassword': verb(changePasswordInput, changePassword),
  'access.confirm': verb(confirmInput, confirm),
  'access.confirmPasswordReset': verb(confirmPasswordResetInput, confirmPasswordReset),
  'access.confirmRole': verb(confirmRoleInput, confirmRole),
  'access.confirmWithProvider': verb(confirmWithProviderInput, confirmWithProvider),
  'access.createApiToken': verb(createApiTokenInput, createApiToken),
  'access.createGroup': verb(createGroupInput, createGroup),
  'access.deactivatePerson': verb(deactivatePersonInput, deactivatePerson),
  'access.editProfile': verb(editProfileInput, editProfile),
  'access.endApiToken': verb(endApiTokenInput, endApiToken),
  'access.endInvitation': verb(endInvitationInput, endInvitation),
  'access.endOtherSessions': verb(endOtherSessionsInput, (ctx) => endOtherSessions(ctx)),
  'access.endRole': verb(endRoleInput, endRole),
  'access.endSession': verb(endSessionInput, endSession),
  'access.grantRole': verb(grantRoleInput, grantRole),
  'access.invitePerson': verb(invitePersonInput, invitePerson),
  'access.issuePasswordReset': verb(issuePasswordResetInput, issuePasswordReset),
  'access.linkProvider': verb(linkProviderInput, linkProvider),
  'access.openSession': verb(openSessionInput, openSession),
  'access.reactivatePerson': verb(reactivatePersonInput, reactivatePerson),
  'access.readInvitation': verb(readInvitationInput, readInvitation),
  'access.redeemInvitation': verb(redeemInvitationInput, redeemInvitation),
  'access.removeGroupMember': verb(groupMemberInput, removeGroupMember),
  'access.removeKey': verb(removeKeyInput, removeKey),
  'access.renameKey': verb(renameKeyInput, renameKey),
  'access.resetKeys': verb(resetKeysInput, resetKeys),
  'access.signIn': verb(signInInput, signIn),
  'access.signInWithProvider': verb(signInWithProviderInput, signInWithProvider),
  'access.signOut': verb(signOutInput, (ctx) => signOut(ctx)),
  'access.testProvider': verb(testProviderInput, (ctx) => testProvider(ctx)),
  'access.unlinkPerson': verb(unlinkPersonInput, unlinkPerson),
  'access.unlinkProvider': verb(unlinkProviderInput, (ctx) => unlinkProvider(ctx)),
  'audit.beginExport': verb(beginExportInput, beginExport),
  'catalogue.addServer': verb(addServerInput, addServer),
  'catalogue.changeToolSet': verb(changeToolSetInput, changeToolSet),
  'catalogue.classifyTools': verb(classifyToolsInput, (ctx, input) =>
    classifyTools(ctx, input, publishServerChange),
  ),
  'catalogue.createToolSet': verb(createToolSetInput, createToolSet),
  'catalogue.editServer': verb(editServerInput, editServer),
  'catalogue.probeServer': verb(probeServerInput, probeServer),
  'catalogue.renameTool': verb(renameToolInput, renameTool),
  'catalogue.syncServer': verb(syncServerInput, (ctx, input) =>
    syncServer(ctx, input, { publish: publishServerChange, catalogueToken: mintCatalogueToken }),
  ),
  'credentials.checkKeys': verb(checkKeysInput, (ctx) => checkKeys(ctx)),
  'credentials.createResourceToken': verb(createResourceTokenInput, createResourceToken),
  'credentials.endResourceToken': verb(endResourceTokenInput, endResourceToken),
  'credentials.killKey': verb(killKeyInput, killSigningKey),
  'credentials.revealCredential': verb(revealCredentialInput, revealCredential),
  'credentials.rotateResourceToken': verb(rotateResourceTokenInput, rotateResourceToken),
  'credentials.rotateKey': verb(rotateKeyInput, rotateSigningKey),
  'jobs.createWebhook': verb(createWebhookInput, createWebhook),
  'jobs.editWebhook': verb(editWebhookInput, editWebhook),
  'jobs.endWebhook': verb(endWebhookInput, endWebhook),
  'jobs.markNotificationsRead': verb(markReadInput, markNotificationsRead),
  'jobs.pauseWebhook': verb(webhookIdInput, pauseWebhook),
  'jobs.replayDeliveries': verb(replayDeliveriesInput, replayDeliveries),
  'jobs.replayDelivery': verb(replayDeliveryInput, replayDelivery),
  'jobs.resumeWebhook': verb(webhookIdInput, resumeWebhook),
  'jobs.rotateWebhookSecret': verb(rotateWebhookSecretInput, rotateWebhookSecret),
  'jobs.testMail': verb(testMailInput, (ctx) => testMail(ctx)),
  'jobs.testWebhook': verb(webhookIdInput, testWebhook),
  'requests.approve': verb(approveRequestInput, approveRequest),
  'requests.beginApproval': verb(beginApprovalInput, beginApproval),
  'requests.comment': verb(commentRequestInput, commentRequest),
  'requests.create': verb(createRequestInput, createRequest),
  'requests.discardDraft': verb(discardDraftInput, discardDraft),
  'requests.edit': verb(editRequestInput, editRequest),
  'requests.linkInstance': verb(linkInstanceInput, linkInstance),
  'requests.preview': verb(previewRequestInput, previewRequest),
  'requests.readPaste': verb(readPasteInput, readPaste),
  'requests.reject': verb(rejectRequestInput, rejectRequest),
  'requests.requestChanges': verb(requestChangesInput, requestChanges),
  'requests.saveDraft': verb(saveDraftInput, saveDraft),
  'requests.submit': verb(submitRequestInput, submitRequest),
  'requests.submitClaim': verb(submitClaimInput, submitClaim),
  'requests.withdraw': verb(withdrawRequestInput, withdrawRequest),
  'revocation.endLeakedSecret': verb(endLeakedSecretInput, endLeakedSecret),
  'revocation.inviteGuard': verb(inviteGuardInput, inviteGuard),
  'revocation.resumeIssuance': verb(resumeIssuanceInput, resumeIssuance),
  'revocation.retireServer': verb(retireServerInput, retireServer),
  'revocation.revokeAgent': verb(stopAgentInput, revokeAgent),
  'revocation.revokeGuard': verb(revokeGuardInput, revokeGuard),
  'revocation.suspendAgent': verb(stopAgentInput, suspendAgent),
  'registration.continueApproved': verb(continueApprovedInput, continueApproved),
  'registration.continueTransaction': verb(continueTransactionInput, continueTransaction),
  'registration.denyDevice': verb(denyDeviceInput, denyDevice),
  'registration.discardPending': verb(discardPendingInput, discardPending),
  'registration.endQuarantine': verb(endQuarantineInput, endQuarantine),
  'registration.forgetClient': verb(forgetClientInput, forgetClient),
  'registration.joinWaiting': verb(joinWaitingInput, joinWaiting),
  'registration.matchDevice': verb(matchDeviceInput, matchDevice),
  'registration.openDevice': verb(openDeviceInput, openDevice),
  'registration.openHandle': verb(openHandleInput, openHandle),
} satisfies Record<string, AnyVerb>;

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
export type VerbInput<Name extends VerbName> = z.input<Verbs[Name]['input']>;
export type VerbOutput<Name extends VerbName> = Awaited<ReturnType<Verbs[Name]['run']>>;
