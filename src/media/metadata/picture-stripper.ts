import { MatrixError } from '../../protocol/errors.ts';
import type { StagedFile, Staging } from '../blobs/staging.ts';
import { matchesType } from '../content-types.ts';
import type { FileFacts, Stripper } from '../intake.ts';
import type { PictureProcesses } from '../thumbnails/picture-processes.ts';
import { STRIPPED_TYPES } from './strip-types.ts';

/** Takes the metadata out of uploaded pictures, in the processes where pictures are read. */
export class PictureStripper implements Stripper {
  readonly #staging: Staging;
  readonly #processes: PictureProcesses;

  constructor(staging: Staging, processes: PictureProcesses) {
    this.#staging = staging;
    this.#processes = processes;
  }

  /** Throws 400 `M_UNKNOWN` for a picture that can't be read: what is in it can't be told. */
  async strip(staged: StagedFile, { contentType }: FileFacts): Promise<StagedFile | undefined> {
    if (contentType === undefined || !matchesType(contentType, STRIPPED_TYPES)) return undefined;
    const output = this.#staging.newPath();
    try {
      const answer = await this.#processes.run({ do: 'strip', input: staged.path, output });
      if (!('isStripped' in answer)) throw unreadable();
      if (!answer.isStripped) return undefined;
      const stripped = await this.#staging.adopt(output);
      await staged[Symbol.asyncDispose]();
      return stripped;
    } catch (error) {
      await this.#staging.remove(output);
      throw error;
    }
  }
}

const unreadable = (): MatrixError =>
  new MatrixError('M_UNKNOWN', 'The picture can not be read, so its metadata can not be removed', { status: 400 });
