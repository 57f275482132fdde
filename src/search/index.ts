/** Search in rooms: the index of what was written, and who may find what of it. */

export { answerJson, type SearchAnswerOptions } from './answer.ts';
export { SearchIndexer } from './indexer.ts';
export { Search, type SearchHit, type SearchPage, type SearchRequest } from './search.ts';
export { SEARCH_KEYS, type SearchKey } from './searchable.ts';
export { searchMigrations } from './store.ts';
export { phrasesOf, type SearchPhrase, tokensOf } from './tokens.ts';
