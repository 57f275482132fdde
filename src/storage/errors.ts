/** The disk is full, the device fails or the database server is away. Nothing was kept; trying later may succeed. */
export class StorageUnavailableError extends Error {
  override readonly name = 'StorageUnavailableError';
}

/** A job or read broke the rules of the house: a programming error. */
export class StorageMisuseError extends Error {
  override readonly name = 'StorageMisuseError';
}

/** The database was written by a newer release, or is in use by another process. */
export class StorageRefusedError extends Error {
  override readonly name = 'StorageRefusedError';
}

/** True for a broken UNIQUE or PRIMARY KEY constraint, on both dialects. */
export function isUniqueViolation(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === '23505';
}

const SQLITE_UNAVAILABLE = /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|BUSY|PROTOCOL|NOMEM)/;
// Classes 08 connection, 53 insufficient resources, 57 operator intervention, 58 system error.
const POSTGRES_UNAVAILABLE = /^(08|53|57|58)[0-9A-Z]{3}$/;
const NETWORK_UNAVAILABLE = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|ENOENT)/;

/** An error of the engine as the caller should see it: unavailability by its own name, all else unchanged. */
export function asStorageError(error: unknown): unknown {
  if (error instanceof StorageUnavailableError) return error;
  const code = codeOf(error);
  if (SQLITE_UNAVAILABLE.test(code) || POSTGRES_UNAVAILABLE.test(code) || NETWORK_UNAVAILABLE.test(code)) {
    return new StorageUnavailableError(`storage unavailable: ${code}`, { cause: error });
  }
  if (error instanceof Error && /^Connection terminated|^timeout exceeded when trying to connect/.test(error.message)) {
    return new StorageUnavailableError(`storage unavailable: ${error.message}`, { cause: error });
  }
  return error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
