/** What all of our own pages have around their content. */
export interface PageContent {
  /** Plain text. */
  readonly title: string;
  /** HTML below the title, an element an entry. */
  readonly body: readonly string[];
  /** A script of ours below `/_web/pages/`. */
  readonly script?: string;
}

/** A whole HTML document. */
export function renderPage({ title, body, script }: PageContent): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escapeHtml(title)}</title>
    <link rel="icon" href="/_web/pages/icon.svg" />
    <link rel="stylesheet" href="/_web/pages/style.css" />
  </head>
  <body>
    <main>
      <h1>${escapeHtml(title)}</h1>
${body.map((element) => `      ${element}`).join('\n')}
    </main>${script === undefined ? '' : `\n    <script type="module" src="/_web/pages/${script}"></script>`}
  </body>
</html>
`;
}

/** Text made safe to stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
