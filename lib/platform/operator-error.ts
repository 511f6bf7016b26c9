/** A problem only the operator can mend. Its message says what is wrong and what to do; a stack would only hide it. */
export class OperatorError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
