import { escapeHtml, renderPage } from './page.ts';

/** What our pages say about this server, to one who reads them from where they are. */
export interface PageFacts {
  readonly serverName: string;
  readonly version: string;
  /** Whether the web client in the box is served. */
  readonly webClient: boolean;
  /** Whether the reader may register an account from where they are. */
  readonly mayRegister: boolean;
  /** Whether anybody has an account yet. */
  readonly hasAccounts: boolean;
  /** Whether the account that the reader registers next becomes an administrator. */
  readonly nextIsAdmin: boolean;
}

const COMMAND = '<code class="command">npm start -- user create NAME --admin</code>';
const REGISTER = '/_web/register';
const CLIENT = '/_web/';

/** The page at `/`: says that the server runs and what to do next. Pure: facts in, HTML out. */
export function renderStartPage(facts: PageFacts): string {
  const steps = facts.hasAccounts ? nextSteps(facts) : firstSteps(facts);
  return renderPage({
    title: facts.serverName,
    body: [
      '<p class="running">This Matrix homeserver is running.</p>',
      ...steps.map((step) => `<p>${step}</p>`),
      '<p>Any other Matrix client works too: give it the address of this page as its homeserver.</p>',
      `<footer>Inglenook ${escapeHtml(facts.version)}</footer>`,
    ],
  });
}

/** While nobody has an account, signing in leads nowhere: it comes second. */
function firstSteps({ mayRegister, nextIsAdmin, webClient }: PageFacts): readonly string[] {
  if (!mayRegister) return [`Nobody has an account yet. Make the first one on the server itself: ${COMMAND}`];
  return [
    `Nobody has an account yet.${nextIsAdmin ? ' The first one becomes the administrator.' : ''}`,
    `<a class="button" href="${REGISTER}">Make the first account</a>`,
    ...(webClient ? [`Then <a href="${CLIENT}">chat in the browser</a>.`] : []),
    `On the command line, this makes an administrator: ${COMMAND}`,
  ];
}

function nextSteps({ mayRegister, webClient }: PageFacts): readonly string[] {
  const chat = `<a class="button" href="${CLIENT}">Chat in the browser</a>`;
  const register = `<a class="button quiet" href="${REGISTER}">Make an account</a>`;
  const buttons = [...(webClient ? [chat] : []), ...(mayRegister ? [register] : [])];
  return buttons.length === 0 ? [] : [buttons.join(' ')];
}
