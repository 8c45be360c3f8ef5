import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { Window } from "./parts/dialog.tsx";
import { Palette, type Place } from "./search/palette.tsx";

const keys = [
  ["Ctrl K", "go to a page, a type's jobs, or a search"],
  ["1 to 9", "go to a page, in the order of the links"],
  ["/", "search jobs"],
  ["j", "the next row"],
  ["k", "the row before"],
  ["Enter", "open the row"],
  ["?", "these keys"],
] as const;

/** The console's keys, and the window that lists them. Text fields and open windows keep their own. */
export function Keys({ pages }: { readonly pages: readonly Place[] }) {
  const [open, setOpen] = useState<"keys" | "palette" | null>(null);
  const [, navigate] = useLocation();

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const page = pages[Number(event.key) - 1];
      if (isPaletteKey(event)) setOpen("palette");
      else if (isElsewhere(event)) return;
      else if (event.key === "?") setOpen("keys");
      else if (page !== undefined) navigate(page.to);
      else if (acts[event.key]?.() !== true) return;
      event.preventDefault();
      event.stopPropagation();
    };
    // Before the tables, which search their rows by letters.
    document.addEventListener("keydown", press, { capture: true });
    return () => document.removeEventListener("keydown", press, { capture: true });
  }, [pages, navigate]);

  return (
    <>
      <Palette pages={pages} isOpen={open === "palette"} onClose={() => setOpen(null)} />
      <Window title="Keys" isOpen={open === "keys"} onClose={() => setOpen(null)}>
        <dl className="facts keys">
          {keys.map(([key, text]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </Window>
    </>
  );
}

/** Also from a text field; ⌘ in place of Ctrl on a Mac. */
function isPaletteKey({ key, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): boolean {
  if (document.querySelector(WINDOW) !== null || altKey || shiftKey) return false;
  return key.toLowerCase() === "k" && ctrlKey !== metaKey;
}

const WINDOW = "[role=dialog], [role=alertdialog]";

function isElsewhere({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || document.querySelector(WINDOW) !== null) return true;
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** Each returns false if it does not apply here. */
const acts: Readonly<Record<string, () => boolean>> = {
  "/": () => focus(document.querySelector("#search")),
  j: () => move("ArrowDown"),
  k: () => move("ArrowUp"),
  Enter: openRow,
};

function focus(element: HTMLElement | null): boolean {
  element?.focus();
  return element !== null;
}

/** Tables move by arrow keys already. */
function move(key: "ArrowDown" | "ArrowUp"): boolean {
  const table = document.querySelector<HTMLElement>("main .long-table");
  if (table === null) return false;
  const focused = document.activeElement;
  const row = focused !== null && table.contains(focused) ? focused.closest("[role=row]") : null;
  if (row === null) return focus(table.querySelector("[role=row]:has([role=rowheader])"));
  row.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return true;
}

function openRow(): boolean {
  const row = document.activeElement;
  if (row?.getAttribute("role") !== "row") return false;
  const link = row.querySelector<HTMLElement>("a[href]");
  link?.click();
  return link !== null;
}
