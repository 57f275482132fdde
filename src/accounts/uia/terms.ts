import type { JsonObject } from '../../protocol/json/index.ts';
import type { Stage } from './stages.ts';

/** A document to agree to, in one language. */
export interface TermsDocument {
  readonly id: string;
  readonly version: string;
  readonly name: string;
  readonly url: string;
  readonly language: string;
}

/** `m.login.terms`. Its result names the documents and versions that were shown. Spec: client-server-api/#terms-of-service-at-registration */
export function termsStage(documents: readonly TermsDocument[]): Stage {
  const shown = new Map(documents.map(({ id, version }) => [id, version]));
  return {
    isRepeatable: false,
    params: () => ({ policies: policies(documents) }),
    attempt: async () => JSON.stringify(Object.fromEntries(shown)),
  };
}

function policies(documents: readonly TermsDocument[]): JsonObject {
  const byId: Record<string, Record<string, string | JsonObject>> = {};
  for (const { id, version, name, url, language } of documents) {
    byId[id] = { ...byId[id], version, [language]: { name, url } };
  }
  return byId;
}
