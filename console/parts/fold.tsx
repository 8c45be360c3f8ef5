import { type ReactNode, useEffect, useState } from "react";

interface Props {
  readonly title: string;
  /** All of it in one line. */
  readonly line: ReactNode;
  /** Opens it by itself when it becomes true. */
  readonly isUrgent?: boolean;
  readonly children: ReactNode;
}

/** A part of a page that is one line until somebody opens it. */
export function Fold({ title, line, isUrgent = false, children }: Props) {
  const [isOpen, setOpen] = useState(isUrgent);
  useEffect(() => {
    if (isUrgent) setOpen(true);
  }, [isUrgent]);
  return (
    <section aria-label={title} className="section fold">
      <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          <h2>{title}</h2> <span className="fold-line">{line}</span>
        </summary>
        <div className="fold-body">{children}</div>
      </details>
    </section>
  );
}
