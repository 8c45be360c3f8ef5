import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";
import { visible } from "./visible.ts";

const SHOWN_MS = 8_000;

const NoticeContext = createContext<(text: ReactNode) => void>(() => {});

/** Shows what was just done, also to screen readers. */
export function useNotice(): (text: ReactNode) => void {
  return useContext(NoticeContext);
}

export function NoticeProvider({ children }: { readonly children: ReactNode }) {
  const [notice, setNotice] = useState<{ readonly text: ReactNode } | null>(null);
  const show = useCallback((text: ReactNode) => setNotice({ text }), []);

  useEffect(() => {
    if (notice === null) return;
    const timer = setTimeout(() => setNotice(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  return (
    <NoticeContext value={show}>
      {children}
      <div className="notice" role="status">
        {notice !== null && <p>{typeof notice.text === "string" ? visible(notice.text) : notice.text}</p>}
      </div>
    </NoticeContext>
  );
}
