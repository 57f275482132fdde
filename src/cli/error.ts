/** A command can't do what it was asked to; the message is all that the user needs. */
export class CliError extends Error {
  override readonly name = 'CliError';
}
