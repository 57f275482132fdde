import { MatrixError } from '../protocol/errors.ts';
import { StorageUnavailableError } from '../storage/index.ts';

/** What the client is told of an error: a refusal as it is, of anything else only that it was ours. */
export function refusalOf(error: unknown, requestId: string): MatrixError {
  if (error instanceof MatrixError) return error;
  return error instanceof StorageUnavailableError ? unavailable(requestId) : internalError(requestId);
}

/** The disk is full or the database away: nothing was kept, and trying later may succeed. */
const unavailable = (requestId: string): MatrixError =>
  new MatrixError('M_UNKNOWN', `The server cannot store anything right now; try again later (request ${requestId})`, {
    status: 503,
    headers: { 'retry-after': '30' },
  });

const internalError = (requestId: string): MatrixError =>
  new MatrixError('M_UNKNOWN', `Internal server error (request ${requestId})`, { status: 500 });
