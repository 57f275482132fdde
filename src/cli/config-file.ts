import { existsSync } from 'node:fs';
import type { LoadedConfig } from '../config/index.ts';
import { loadConfig, makeConfig } from '../config/load.ts';

/** The file that is read when none is named, if it is there. */
const DEFAULT_FILE = 'config.yaml';

/** The configuration of a command: the named file, else `config.yaml` in the working folder, else the defaults. */
export async function configFor(file: string | undefined): Promise<LoadedConfig> {
  const found = file ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  if (found !== undefined) return loadConfig(found);
  return { config: makeConfig({}, process.cwd()), file: undefined };
}
