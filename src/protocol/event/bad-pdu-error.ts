/** An event that isn't one: dropped when it came from another server, refused when a client asked us to make it. */
export class BadPduError extends Error {
  override readonly name = 'BadPduError';
  readonly reason: 'bad-format' | 'too-large';

  constructor(reason: 'bad-format' | 'too-large', message: string) {
    super(message);
    this.reason = reason;
  }
}
