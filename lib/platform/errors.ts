/**
 * The one small family of errors verbs throw, named by meaning. Each edge (OAuth JSON, problem JSON, form state)
 * translates it once. `message` is written for the person or program that asked and leaks nothing; `detail` is
 * structured help that edge may show (for example which field, or what the state is now).
 */
export type DomainErrorCode =
  | 'not_found'
  | 'unauthenticated'
  | 'forbidden'
  | 'step_up_required'
  | 'conflict'
  | 'invalid'
  | 'limit_exceeded'
  | 'precondition_failed'
  | 'precondition_required'
  | 'unavailable';

export type ErrorDetail = Readonly<Record<string, unknown>>;

export class DomainError extends Error {
  readonly code: DomainErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: DomainErrorCode, message: string, detail: ErrorDetail = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DomainError';
    this.code = code;
    this.detail = detail;
  }
}

/** The object does not exist, or the actor may not know that it does: the same answer for both. */
export class NotFound extends DomainError {
  constructor(message = 'There is nothing here, or nothing you may see.', detail?: ErrorDetail) {
    super('not_found', message, detail);
  }
}

/** Nobody is signed in, or the session or token has ended. */
export class Unauthenticated extends DomainError {
  constructor(message = 'Sign in to continue.', detail?: ErrorDetail) {
    super('unauthenticated', message, detail);
  }
}

/** The actor is known and may not do this. Says which right is missing and who can grant it. */
export class Forbidden extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('forbidden', message, detail);
  }
}

/** The person may do this once they have proved again that it is them: the session alone is not enough. Maps to 403. */
export class StepUpRequired extends DomainError {
  constructor(message = 'Confirm that it is you, then do this again.', detail?: ErrorDetail) {
    super('step_up_required', message, detail);
  }
}

/** The state is not what the actor acted on: already decided, lost race. Maps to 409. */
export class Conflict extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('conflict', message, detail);
  }
}

/** The input is wrong. `detail.issues` lists `{ path, message }`. */
export class Invalid extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('invalid', message, detail);
  }
}

/** A budget is used up. `detail.retryAfterSeconds` says when to come back. */
export class LimitExceeded extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('limit_exceeded', message, detail);
  }
}

/** The decision names a snapshot that is no longer the current one. Maps to 412. */
export class PreconditionFailed extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('precondition_failed', message, detail);
  }
}

/** The decision names no snapshot at all. Maps to 428. */
export class PreconditionRequired extends DomainError {
  constructor(message: string, detail?: ErrorDetail) {
    super('precondition_required', message, detail);
  }
}

/** A part this needs cannot answer now; nothing happened. Maps to 503. */
export class Unavailable extends DomainError {
  constructor(message: string, detail?: ErrorDetail, options?: ErrorOptions) {
    super('unavailable', message, detail, options);
  }
}

const statusOf: Record<DomainErrorCode, number> = {
  not_found: 404,
  unauthenticated: 401,
  forbidden: 403,
  step_up_required: 403,
  conflict: 409,
  invalid: 422,
  limit_exceeded: 429,
  precondition_failed: 412,
  precondition_required: 428,
  unavailable: 503,
};

/** HTTP status of a domain error (RFC 9110; 428 and 429 from RFC 6585). */
export function httpStatusOf(error: DomainError): number {
  return statusOf[error.code];
}
