import { type FormEvent, useEffect, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { isCall, jobPath } from "../parts/link.tsx";

/** A queue's name, and a UUIDv7. */
export const JOB_ID = /^.+_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The page of the job or guarded effect with this id, or of a search. */
export function placeOf(wanted: string): string {
  return JOB_ID.test(wanted) || isCall(wanted) ? jobPath(wanted) : `/search?q=${encodeURIComponent(wanted)}`;
}

/** Finds jobs from any page: an id opens its job, anything else is searched. */
export function SearchBox() {
  const [location, navigate] = useLocation();
  const [params] = useSearchParams();
  const searched = location === "/search" ? (params.get("q") ?? "") : "";
  const [text, setText] = useState(searched);
  useEffect(() => setText(searched), [searched]);

  function find(event: FormEvent) {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === "") return;
    navigate(placeOf(wanted));
  }

  return (
    <search className="search-box">
      <form onSubmit={find}>
        <input
          id="search"
          type="search"
          aria-label="Search all jobs"
          aria-keyshortcuts="/"
          placeholder="Id, key, value, tag or error"
          autoComplete="off"
          maxLength={512}
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </form>
    </search>
  );
}
