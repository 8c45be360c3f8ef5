import { useEffect, useState } from "react";
import { Window } from "./parts/dialog.tsx";

const keys = [
  ["/", "search jobs"],
  ["j", "the next row"],
  ["k", "the row before"],
  ["Enter", "open the row"],
  ["?", "these keys"],
] as const;

/** The console's keys, and the window that lists them. Text fields and open windows keep their own. */
export function Keys() {
  const [isOpen, setOpen] = useState(false);

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (isElsewhere(event)) return;
      if (event.key === "?") setOpen(true);
      else if (acts[event.key]?.() !== true) return;
      event.preventDefault();
      event.stopPropagation();
    };
    // Before the tables, which search their rows by letters.
    document.addEventListener("keydown", press, { capture: true });
    return () => document.removeEventListener("keydown", press, { capture: true });
  }, []);

  return (
    <Window title="Keys" isOpen={isOpen} onClose={() => setOpen(false)}>
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
  );
}

function isElsewhere({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || document.querySelector("[role=dialog], [role=alertdialog]") !== null)
    return true;
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
