/** The one style sheet of the mailbox, placed in each page. */
export const pageStyle = `
:root { color-scheme: light dark; --ground: #f6f7f4; --sheet: #fff; --ink: #18211c; --quiet: #5a665f; --line: #dde3dd; --kelp: #17684d; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0f1411; --sheet: #171e1a; --ink: #e6ece8; --quiet: #9ca9a1; --line: #2b352f; --kelp: #74d0a8; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; padding-bottom: 1rem; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; }
header a { color: inherit; text-decoration: none; font-weight: 700; font-size: 1.125rem; }
header a::before { content: ""; display: inline-block; width: .625rem; height: .625rem; margin-right: .5rem; border-radius: 50%; background: var(--kelp); }
header p, .note, time, dt, .people { color: var(--quiet); font-size: .875rem; }
header p, .note { margin: 0; }
main { padding-bottom: 4rem; }
a { color: var(--kelp); }
a:focus-visible { outline: 2px solid var(--kelp); outline-offset: 2px; border-radius: 2px; }
h1 { margin: .25rem 0 1.25rem; font-size: 1.5rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: .875rem; font-weight: 600; color: var(--quiet); }
.sheet { margin: 0; padding: 1.25rem; background: var(--sheet); border: 1px solid var(--line); border-radius: .625rem; }
.mails { padding: 0; list-style: none; overflow: hidden; }
.mails li + li { border-top: 1px solid var(--line); }
.mails a { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1.5rem; padding: .75rem 1.25rem; color: inherit; text-decoration: none; }
.mails a:hover { background: color-mix(in srgb, var(--kelp) 8%, transparent); }
.mails a:focus-visible { outline-offset: -2px; }
.subject, .people { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.subject { font-weight: 600; }
body { font-variant-numeric: tabular-nums; }
time { white-space: nowrap; }
.people { grid-column: 1 / -1; }
.people bdi { color: var(--ink); }
.mails + .note { margin-top: .75rem; }
.empty { padding: 4rem 1.25rem; text-align: center; }
.empty h1 { margin: 0 0 .5rem; }
.empty p { margin: 0; color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .375rem 1.25rem; }
dd { margin: 0; }
dd time { color: inherit; font-size: inherit; }
dt { line-height: 1.7; }
pre { font: .9375rem/1.6 ui-monospace, monospace; white-space: pre-wrap; }
iframe { display: block; width: 100%; height: max(24rem, 100vh - 8rem); padding: 0; resize: vertical; }
@media (max-width: 36rem) {
  header, main { padding-left: .875rem; padding-right: .875rem; }
  header { padding-top: 1.25rem; }
  .mails a { grid-template-columns: minmax(0, 1fr); padding: .75rem .875rem; }
  .subject { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; white-space: normal; }
  .people span { display: block; overflow: hidden; text-overflow: ellipsis; }
  .mails time { grid-row: 3; }
  .sheet { padding: .875rem; }
  .sheet.mails, iframe.sheet { padding: 0; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .5rem; }
}
`;
