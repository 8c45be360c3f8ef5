import { type ReactNode, useEffect, useRef } from "react";
import { Text } from "./link.tsx";

interface Props {
  readonly title: string;
  /** What stands in the title of the tab, where it differs. */
  readonly tab?: string;
  /** What the page is about, in a line. */
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  /** A page whose list scrolls inside the window, in place of the whole page. */
  readonly isFilling?: boolean;
  readonly children: ReactNode;
}

/** Where the page was opened the browser's own focus is right; after that each new page tells itself. */
let isFirstPage = true;

/** One page of the console: its heading, and what is under it. */
export function Page({ title, tab = title, lead, actions, isFilling = false, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    document.title = `${tab} · Holdfast`;
  }, [tab]);

  useEffect(() => {
    if (!isFirstPage) heading.current?.focus({ preventScroll: true });
    isFirstPage = false;
    window.scrollTo(0, 0);
  }, []);

  return (
    <div className={isFilling ? "page filling" : "page"}>
      <header className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          <Text of={title} />
        </h1>
        {actions !== undefined && <div className="actions">{actions}</div>}
        {lead !== undefined && <p className="lead">{lead}</p>}
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
