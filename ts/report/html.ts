/** Text as it may stand in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }
td + td { font-variant-numeric: tabular-nums; }
figure { display: inline-block; margin: 0 .5rem .5rem 0; vertical-align: top; }
figure img { display: block; max-width: 100%; image-rendering: pixelated; }
figcaption { font-size: 13px; color: #555; }
svg { max-width: 100%; height: auto; }
.note { color: #555; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #161b22; } th, td { border-color: #3a4048; } figcaption, .note { color: #a8a8a8; }
}
`;

/** A page that needs nothing from elsewhere: no scripts, no fonts, images only as data. */
export function htmlPage(title: string, body: readonly string[]): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: 'self'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    ...body,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

export const heading = (level: 1 | 2 | 3, text: string): string => `<h${level}>${escapeHtml(text)}</h${level}>`;
export const paragraph = (text: string): string => `<p class="note">${escapeHtml(text)}</p>`;

/** Rows of cells, the first being the head. */
export function htmlTable([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: 'th' | 'td') =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>\n${[cells(head!, 'th'), ...rows.map((row) => cells(row, 'td'))].join('\n')}\n</table>`;
}

/** @param source a data URI or the name of a file beside the page. */
export function figure(source: string, caption: string): string {
  const text = escapeHtml(caption);
  return `<figure><img src="${escapeHtml(source)}" alt="${text}"><figcaption>${text}</figcaption></figure>`;
}
