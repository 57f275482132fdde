import { BuilderFactory } from '../builder.ts';
import { StorageMisuseError } from '../errors.ts';
import { sqliteDialect } from './dialect.ts';

const factory = new BuilderFactory(sqliteDialect);

export const builders = {
  factory,
  /** For compiling only. */
  unbound: factory.create({
    execute: () => Promise.reject(new StorageMisuseError('this builder only compiles')),
  }),
};
