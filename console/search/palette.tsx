import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useState } from "react";
import { useLocation } from "wouter";
import { typesQuery } from "../jobs/queries.ts";
import { Window } from "../parts/dialog.tsx";
import { visible } from "../parts/visible.ts";
import { placeOf } from "./search-box.tsx";

export interface Place {
  readonly to: string;
  readonly text: string;
}

const LIST = "palette-list";
const SHOWN = 8;

interface Props {
  readonly pages: readonly Place[];
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Goes to a page, a type's jobs or what is searched, by typing. */
export function Palette({ pages, isOpen, onClose }: Props) {
  return (
    <Window title="Go to" isOpen={isOpen} onClose={onClose}>
      <Chooser pages={pages} onClose={onClose} />
    </Window>
  );
}

function Chooser({ pages, onClose }: Omit<Props, "isOpen">) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [, navigate] = useLocation();
  const places = usePlaces(pages, text.trim());

  function go(place: Place | undefined) {
    if (place === undefined) return;
    onClose();
    navigate(place.to);
  }

  function press(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setAt((at + step + places.length) % places.length);
    else if (event.key === "Enter") go(places[at]);
    else return;
    event.preventDefault();
  }

  return (
    <>
      <input
        className="palette"
        role="combobox"
        aria-label="Page, job type, or what to search"
        aria-expanded="true"
        aria-controls={LIST}
        aria-activedescendant={`${LIST}-${at}`}
        placeholder="Page, job type, id, key, value, tag or error"
        autoComplete="off"
        maxLength={512}
        // biome-ignore lint/a11y/noAutofocus: it was opened to type
        autoFocus
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <div id={LIST} role="listbox" aria-label="Where to go" className="palette-list">
        {places.map((place, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
          <div
            key={place.to}
            id={`${LIST}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => go(place)}
          >
            <bdi>{visible(place.text)}</bdi>
          </div>
        ))}
      </div>
    </>
  );
}

/** What matches, pages first; a search for the text is last. */
function usePlaces(pages: readonly Place[], text: string): Place[] {
  const types = useQuery(typesQuery()).data ?? [];
  const jobs = types.map(({ type }) => ({
    to: `/jobs?type=${encodeURIComponent(type)}`,
    text: `Jobs of ${type}`,
  }));
  const wanted = text.toLowerCase();
  const found = [...pages, ...jobs].filter((place) => place.text.toLowerCase().includes(wanted));
  const search = text === "" ? [] : [{ to: placeOf(text), text: `Search jobs for ${text}` }];
  return [...found.slice(0, SHOWN), ...search];
}
