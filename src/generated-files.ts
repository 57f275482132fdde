/** The files that are generated from the code: `npm run docs` writes them, a test compares them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { configMarkdown } from './config/docs.ts';
import { makeConfig } from './config/index.ts';
import { jsonSchemaText } from './config/json-schema.ts';
import { sampleYaml } from './config/sample.ts';
import { startHomeserver } from './homeserver.ts';
import { routesMarkdown } from './http/index.ts';
import { silentLogger } from './telemetry/log.ts';
import { PROJECT_FOLDER } from './version.ts';

/** Each file's absolute path and what has to be in it. Starts a server for a moment, to ask it for its routes. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = {
    'config.sample.yaml': sampleYaml(),
    'docs/config.md': configMarkdown(),
    'docs/config.schema.json': jsonSchemaText(),
    'docs/routes.md': await routesPage(),
  };
  return new Map(Object.entries(files).map(([file, text]) => [path.join(PROJECT_FOLDER, file), text]));
}

async function routesPage(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'inglenook-docs-'));
  try {
    const config = makeConfig({ listeners: [{ port: 0, addresses: ['127.0.0.1'] }] }, folder);
    await using homeserver = await startHomeserver(config, { logger: silentLogger });
    return routesMarkdown(homeserver.routes);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
