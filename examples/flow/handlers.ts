import { SnoozeError } from "holdfast";
import { book, convert, exportJob, invite, pay, push, render, ship } from "./contracts.ts";
import { charge, isUploaded, pagesOf } from "./outside.ts";

// #region snooze
export const convertHandler = convert.handler(async ({ payload }) => {
  if (!(await isUploaded(payload.file))) throw new SnoozeError(1_000);
  return {};
});
// #endregion

// #region next
export const payHandler = pay.handler(async ({ payload, effect, submit }) => {
  await effect("charge", ({ key }) => charge(payload.order, key));
  await submit(ship, { order: payload.order });
  for (const friend of payload.friends) await submit(invite, { friend }, { name: `invite-${friend}` });
  return {};
});
// #endregion

export const renderHandler = render.handler(async ({ payload }) => ({ pages: pagesOf(payload.chapter) }));

// #region children
export const bookHandler = book.handler(async ({ children }) => {
  let pages = 0;
  for await (const child of children(render)) {
    if (child.state === "completed") pages += child.result.pages;
  }
  return { pages };
});
// #endregion

const idle = async () => ({});

export const handlers = [
  convertHandler,
  payHandler,
  renderHandler,
  bookHandler,
  exportJob.handler(idle),
  push.handler(idle),
  ship.handler(idle),
  invite.handler(idle),
];
