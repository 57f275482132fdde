/** From a YAML file, or from nothing, to a valid `Config`. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem, type KeysAt, problemsOf } from './problems.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';

/** A configuration and where it came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read; undefined where everything is default. */
  readonly file: string | undefined;
}

/**
 * Reads a configuration file. Relative paths in it are relative to its folder.
 * Throws `ConfigError` with every problem of the file, also where it can't be read.
 */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  return { config: await parseConfig(readText(file), file), file };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError([{ file, line: 1, column: 1, key: '', message }]);
  }
}

/** The configuration in `text`, the content of `file`. Throws `ConfigError`. */
export async function parseConfig(text: string, file: string): Promise<Config> {
  // Loaded here, since a server without a configuration file starts faster without it.
  const { LineCounter, parseDocument, visit } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, schema: 'core' });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { file, line, column: col, key: '', message: error.message };
      }),
    );
  }
  const aliases: ConfigProblem[] = [];
  visit(document, {
    Alias: (_, { source, range }) => {
      const { line, col } = lines.linePos(range?.[0] ?? 0);
      const message = `*${source}: aliases are not resolved here; write the value out`;
      aliases.push({ file, line, column: col, key: '', message });
    },
  });
  if (aliases.length > 0) throw new ConfigError(aliases);
  const result = configSchema.safeParse(withoutNulls(document.toJS({ maxAliasCount: 0 })) ?? {}, { reportInput: true });
  if (!result.success) throw new ConfigError(problemsOf(result.error.issues, { file, document, lines }, keysAt));
  return withAbsolutePaths(result.data, path.dirname(path.resolve(file)));
}

/** A configuration of defaults and what `input` says otherwise; relative paths are relative to `folder`. */
export function makeConfig(input: ConfigInput, folder: string): Config {
  return withAbsolutePaths(configSchema.parse(input), folder);
}

function withAbsolutePaths(config: z.output<typeof configSchema>, folder: string): Config {
  const dataFolder = path.resolve(folder, config.server.data_folder);
  const inFolder = (file: string | undefined) => (file === undefined ? undefined : path.resolve(folder, file));
  const { logging, database } = config;
  return {
    ...config,
    server: {
      ...config.server,
      data_folder: dataFolder,
      signing_key_file: inFolder(config.server.signing_key_file) ?? path.join(dataFolder, 'signing.key'),
    },
    database: {
      ...database,
      sqlite: { file: inFolder(database.sqlite.file) ?? path.join(dataFolder, 'inglenook.db') },
    },
    listeners: config.listeners.map((listener) => ({
      ...listener,
      unix_socket: inFolder(listener.unix_socket),
      certificate_file: inFolder(listener.certificate_file),
      key_file: inFolder(listener.key_file),
    })),
    media: { ...config.media, folder: inFolder(config.media.folder) ?? path.join(dataFolder, 'media') },
    federation: { ...config.federation, ca_file: inFolder(config.federation.ca_file) },
    sso: {
      ...config.sso,
      providers: config.sso.providers.map((provider) => ({
        ...provider,
        private_key_file: inFolder(provider.private_key_file),
      })),
    },
    logging: { ...logging, file: inFolder(logging.file) },
  };
}

/** A key without a value (`server:` with everything below it commented out) is the same as no key. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)]);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

/** Walks down the schema to the section at a path and gives its keys. */
const keysAt: KeysAt = (at) => {
  let schema: z.core.$ZodType | undefined = configSchema;
  for (const part of at) {
    const inner = unwrap(schema);
    schema = inner === undefined ? undefined : childOf(inner, part);
  }
  const section = unwrap(schema);
  return section?._zod.def.type === 'object' && 'shape' in section._zod.def
    ? Object.keys(section._zod.def.shape as object)
    : undefined;
};

function childOf(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType | undefined {
  const { def } = schema._zod;
  if ('element' in def) return def.element as z.core.$ZodType;
  if (!('shape' in def)) return undefined;
  return (def.shape as Readonly<Record<PropertyKey, z.core.$ZodType>>)[part];
}

/** The schema inside of `prefault`, `optional` and `transform`. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let current = schema;
  while (current !== undefined && 'innerType' in current._zod.def) {
    current = current._zod.def.innerType as z.core.$ZodType;
  }
  return current;
}
