import { BuilderFactory } from '../builder.ts';
import { StorageMisuseError } from '../errors.ts';
import { postgresDialect } from './dialect.ts';

const factory = new BuilderFactory(postgresDialect);

export const builders = {
  factory,
  /** For compiling only. */
  unbound: factory.create({
    execute: () => Promise.reject(new StorageMisuseError('this builder only compiles')),
  }),
};
