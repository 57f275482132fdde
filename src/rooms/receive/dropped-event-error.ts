/** An event is not taken at all: it is as if it had never come. */
export class DroppedEventError extends Error {
  override readonly name = 'DroppedEventError';
}
