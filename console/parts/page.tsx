import { type ReactNode, useEffect, useRef } from "react";
import { Guide } from "./guide.tsx";
import { Text } from "./link.tsx";
import { endReturn, placeToReturnTo } from "./scroll-memory.ts";
import { visible } from "./visible.ts";

interface Props {
  readonly title: string;
  /** The title of the browser tab. @default title */
  readonly tab?: string;
  /** One line about the page. */
  readonly lead?: ReactNode;
  /** The page of the docs about it. */
  readonly guide?: string;
  readonly actions?: ReactNode;
  /** The list scrolls inside the window, not the whole page. */
  readonly isFilling?: boolean;
  readonly children: ReactNode;
}

/** On the first page the browser's own focus is right. Later pages focus their heading, so that it is read aloud. */
let isFirstPage = true;

/** A page of the console, with its heading. */
export function Page({ title, tab = title, lead, guide, actions, isFilling = false, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    document.title = `${visible(tab)} · Holdfast`;
  }, [tab]);

  useEffect(() => {
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
    // A list needs a frame to know its height.
    const place = placeToReturnTo();
    window.scrollTo(0, place?.window ?? 0);
    if (place === undefined) return;
    const frame = requestAnimationFrame(() => {
      const list = document.querySelector(".long-table");
      if (list !== null) list.scrollTop = place.list;
      window.scrollTo(0, place.window);
      endReturn();
    });
    return () => cancelAnimationFrame(frame);
  }, []);

  return (
    <div className={isFilling ? "page filling" : "page"}>
      <header className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          <Text of={title} />
        </h1>
        {actions !== undefined && <div className="actions">{actions}</div>}
        {lead !== undefined && (
          <p className="lead">
            {lead} {guide !== undefined && <Guide page={guide}>Guide</Guide>}
          </p>
        )}
      </header>
      {children}
    </div>
  );
}

/** A part of a page, named by its heading. */
export function Section(props: {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const { title, aside, className = "", children } = props;
  return (
    <section aria-label={title} className={`section ${className}`}>
      <div className="section-head">
        <h2>{title}</h2>
        {aside !== undefined && <div className="aside">{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** What scrolls sideways where it is too wide, also by the keyboard. */
export function Scroller(props: {
  readonly label: string;
  readonly isSection?: boolean;
  readonly children: ReactNode;
}) {
  const { label, isSection = false, children } = props;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={isSection ? "section scroller" : "scroller"} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
