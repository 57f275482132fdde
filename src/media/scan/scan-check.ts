/** The scanner of the configuration as a check of files. */
import type { Config } from '../../config/index.ts';
import { MatrixError } from '../../protocol/errors.ts';
import type { FileCheck, FileVerdict, IncomingFile } from '../intake.ts';
import { type ClamdAddress, parseClamdAddress, ScannerError, scanFile } from './clamd.ts';

type ScanConfig = NonNullable<Config['media']['scan']>;

const ALLOWED: FileVerdict = { isAllowed: true };
const RETRY_S = '30';

/** Asks ClamAV about every file that isn't too large for it. */
export class ScanCheck implements FileCheck {
  readonly name = 'clamav';
  readonly #config: ScanConfig;
  readonly #address: ClamdAddress;
  readonly #onError: (error: unknown) => void;

  constructor(config: ScanConfig, onError: (error: unknown) => void) {
    this.#config = config;
    const address = parseClamdAddress(config.clamd);
    if (address === undefined) throw new Error(`media.scan.clamd is neither a path nor host:port: ${config.clamd}`);
    this.#address = address;
    this.#onError = onError;
  }

  /** Throws 503 `M_UNKNOWN` where there is no verdict, unless the configuration says to take such files. */
  async check({ path, sizeBytes }: IncomingFile): Promise<FileVerdict> {
    const { size_max, too_large, unreachable, timeout } = this.#config;
    if (sizeBytes > size_max) {
      return too_large === 'allow' ? ALLOWED : { isAllowed: false, reason: 'The file is too large to be scanned' };
    }
    try {
      const found = await scanFile(this.#address, path, timeout);
      // The name would only tell its author what to change.
      return found === undefined ? ALLOWED : { isAllowed: false, reason: 'The file was found to be harmful' };
    } catch (error) {
      if (!(error instanceof ScannerError)) throw error;
      this.#onError(error);
      if (unreachable === 'allow') return ALLOWED;
      const headers = { 'retry-after': RETRY_S };
      throw new MatrixError('M_UNKNOWN', 'Files can not be scanned now', { status: 503, headers });
    }
  }
}
