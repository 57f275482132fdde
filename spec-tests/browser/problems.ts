/** Everything that goes wrong in a page: errors on its console, exceptions, refused requests, violated policies. */
import type { ConsoleMessage, Page } from 'playwright-core';

/**
 * Answers that are an error for the browser's console only: `POST /register` asks for the next stage with 401, and what a
 * server without a public address, or without a feature, answers 404 makes the client go on without.
 */
const EXPECTED = [
  { status: '401', path: /^\/_matrix\/client\/v3\/register$/ },
  { status: '404', path: /^\/\.well-known\/matrix\/client$/ },
  { status: '404', path: /^\/_matrix\/client\/unstable\/org\.matrix\.msc2697\.v2\/dehydrated_device$/ },
];

/** Starts to collect; the list grows as the page lives. */
export function collectProblems(page: Page): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !isExpected(message)) {
      problems.push(`console: ${message.text()} (${message.location().url})`);
    }
  });
  return problems;
}

function isExpected(message: ConsoleMessage): boolean {
  const status = /^Failed to load resource: the server responded with a status of (\d+)/.exec(message.text())?.[1];
  if (status === undefined) return false;
  const { pathname } = new URL(message.location().url);
  return EXPECTED.some((one) => one.status === status && one.path.test(pathname));
}
