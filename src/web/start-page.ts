/** What the start page says about this server. */
export interface StartPageFacts {
  readonly serverName: string;
  readonly version: string;
  /** Whether the web client in the box is served. */
  readonly webClient: boolean;
  /** Whether the reader may register an account from where they are. */
  readonly mayRegister: boolean;
  /** Whether anybody has an account yet. */
  readonly hasAccounts: boolean;
}

/** The page at `/`: says that the server runs and what to do next. Pure: facts in, HTML out. */
export function renderStartPage(facts: StartPageFacts): string {
  const name = escapeHtml(facts.serverName);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${name}</title>
    <link rel="stylesheet" href="/_web/pages/style.css" />
  </head>
  <body>
    <h1>${name}</h1>
    <p class="running">This Matrix homeserver is running.</p>
${firstSteps(facts)}
    <p>Any other Matrix client works too: give it the address of this page as the homeserver.</p>
    <footer>Inglenook ${escapeHtml(facts.version)}</footer>
  </body>
</html>
`;
}

function firstSteps(facts: StartPageFacts): string {
  const chat = facts.webClient ? '    <p><a class="button" href="/_web/">Chat in the browser</a></p>' : '';
  const register = '    <p><a href="/_web/register">Make an account</a></p>';
  if (facts.hasAccounts) return facts.mayRegister ? `${chat}\n${register}` : chat;
  const command = '<code>npm start -- user create NAME --admin</code>';
  return facts.mayRegister
    ? `    <p>Nobody has an account yet. <a href="/_web/register">Make the first one</a>, or use the command ${command}.</p>\n${chat}`
    : `    <p>Nobody has an account yet. Make the first one on the server with ${command}.</p>\n${chat}`;
}

/** Text made safe to stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
