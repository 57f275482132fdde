import { hash, parseOptions, verify } from '@node-rs/argon2';
import { compare as compareBcrypt } from 'bcryptjs';
import { invalidParam, MatrixError } from '../protocol/errors.ts';

/** What argon2id may cost. */
export interface PasswordCost {
  /** Memory in bytes. */
  readonly memory: number;
  readonly iterations: number;
  readonly parallelism: number;
}

/** Hashing works on the whole password, so its length must have a limit. */
const PASSWORD_LENGTH_MAX = 512;

const BCRYPT = /^\$2[abxy]\$/;

/**
 * Hashes passwords with argon2id in the thread pool, and verifies them. bcrypt hashes, which imports bring along, are
 * verified too. Passwords are compared in Unicode's NFKC, so that they don't depend on the keyboard.
 */
export class Passwords {
  readonly #options: { readonly memoryCost: number; readonly timeCost: number; readonly parallelism: number };
  readonly #lengthMin: number;
  #dummyHash: Promise<string> | undefined;

  constructor(cost: PasswordCost, lengthMin: number) {
    this.#options = {
      memoryCost: Math.max(8 * cost.parallelism, Math.round(cost.memory / 1024)),
      timeCost: cost.iterations,
      parallelism: cost.parallelism,
    };
    this.#lengthMin = lengthMin;
  }

  /** The hash of a new password. Throws `M_WEAK_PASSWORD` where it is too short. */
  async hash(password: string): Promise<string> {
    this.check(password);
    return this.hashAny(password);
  }

  /** The hash of a new password, however short. */
  async hashAny(password: string): Promise<string> {
    checkLengthMax(password);
    return hash(password.normalize('NFKC'), this.#options);
  }

  /** Throws where this may not become anybody's password. Spec: client-server-api/#password-management */
  check(password: string): void {
    checkLengthMax(password);
    if ([...password].length < this.#lengthMin) {
      throw new MatrixError('M_WEAK_PASSWORD', `A password needs at least ${this.#lengthMin} characters`);
    }
  }

  /**
   * Whether `password` belongs to `hashed`. Where there is no hash it takes as long as if there were one, so that nobody
   * learns from the time which accounts exist.
   */
  async verify(password: string, hashed: string | undefined): Promise<boolean> {
    const normal = password.slice(0, PASSWORD_LENGTH_MAX + 1).normalize('NFKC');
    if (hashed === undefined) {
      this.#dummyHash ??= hash('nobody has this password', this.#options);
      await verify(await this.#dummyHash, normal);
      return false;
    }
    return BCRYPT.test(hashed) ? compareBcrypt(normal, hashed) : verify(hashed, normal);
  }

  /** The hash to store instead of `hashed`, of which the password is known to be right; undefined where it is up to date. */
  async upgrade(password: string, hashed: string): Promise<string | undefined> {
    return this.#isCurrent(hashed) ? undefined : hash(password.normalize('NFKC'), this.#options);
  }

  #isCurrent(hashed: string): boolean {
    if (BCRYPT.test(hashed)) return false;
    const { memoryCost, timeCost, parallelism } = parseOptions(hashed);
    const wanted = this.#options;
    return memoryCost === wanted.memoryCost && timeCost === wanted.timeCost && parallelism === wanted.parallelism;
  }
}

function checkLengthMax(password: string): void {
  if (password.length > PASSWORD_LENGTH_MAX) {
    throw invalidParam(`A password may have at most ${PASSWORD_LENGTH_MAX} characters`);
  }
}
