/** The gate that every file passes before it is kept: uploads, files of other servers, and pictures of link previews. */
import type { Readable } from 'node:stream';
import { MatrixError } from '../protocol/errors.ts';
import type { ServerName, UserId } from '../protocol/ids/index.ts';
import type { Chunks } from './blobs/hashing-sink.ts';
import type { StagedFile, Staging } from './blobs/staging.ts';

/** What is known of a file that comes in. */
export interface FileFacts {
  readonly origin: ServerName;
  /** Undefined for what no user of ours sends: files of other servers, and pictures of link previews. */
  readonly uploader: UserId | undefined;
  readonly contentType: string | undefined;
  readonly fileName: string | undefined;
}

/** A file that has come in whole, to be looked at. Only for as long as the check runs. */
export interface IncomingFile extends FileFacts {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Whether a file may be kept; the reason is shown to the uploader. */
export type FileVerdict = { readonly isAllowed: true } | { readonly isAllowed: false; readonly reason: string };

/** A veto: may this file be kept? An error refuses it for now, without a verdict. */
export interface FileCheck {
  readonly name: string;
  check(file: IncomingFile): Promise<FileVerdict>;
}

/** A check has refused the file, and would again. */
export class FileVetoError extends MatrixError {
  readonly checkName: string;

  constructor(checkName: string, reason: string) {
    super('M_FORBIDDEN', reason);
    this.checkName = checkName;
  }
}

/** Takes out of a file what doesn't belong into others' hands; gives the file in its place where it had such a thing. */
export interface Stripper {
  strip(staged: StagedFile, facts: FileFacts): Promise<StagedFile | undefined>;
}

/** Receives files, and asks the checks, in the order in which they were added. */
export class Intake {
  readonly #staging: Staging;
  readonly #checks: FileCheck[] = [];
  readonly #stripper: Stripper | undefined;

  constructor(staging: Staging, stripper: Stripper | undefined) {
    this.#staging = staging;
    this.#stripper = stripper;
  }

  /** Adds a check: the scanner of the configuration, or a module's. */
  addCheck(check: FileCheck): void {
    this.#checks.push(check);
  }

  /** Takes a stream in, up to where it can be kept. Throws `FileVetoError`, leaving nothing behind, where a check refuses it. */
  async receive(stream: Readable, facts: FileFacts, chunks: Chunks = 'shared'): Promise<StagedFile> {
    let staged = await this.#staging.receive(stream, chunks);
    try {
      if (facts.uploader !== undefined) staged = (await this.#stripper?.strip(staged, facts)) ?? staged;
      await this.#assertAllowed({ ...facts, path: staged.path, sha256: staged.sha256, sizeBytes: staged.sizeBytes });
      return staged;
    } catch (error) {
      await staged[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #assertAllowed(file: IncomingFile): Promise<void> {
    for (const check of this.#checks) {
      const verdict = await check.check(file);
      if (!verdict.isAllowed) throw new FileVetoError(check.name, verdict.reason);
    }
  }
}
