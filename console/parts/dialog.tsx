import { type FormEvent, type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { useSession } from "../service/session.ts";
import { ActProblem, useLate } from "./late.tsx";
import { SIGN_IN_LEAD, SignInForm } from "./sign-in-form.tsx";
import { visible } from "./visible.ts";

interface WindowProps {
  readonly title: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  /** Whether Escape and a click outside close it. @default true */
  readonly isDismissable?: boolean;
  readonly isAlert?: boolean;
  readonly children: ReactNode;
}

let openWindows = 0;
const watchers = new Set<() => void>();

function addToOpen(change: 1 | -1): void {
  openWindows += change;
  for (const watcher of watchers) watcher();
}

/** Whether a window covers the page. */
export function useHasWindow(): boolean {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => openWindows > 0,
  );
}

/** A modal window, which keeps the focus until it is closed. */
export function Window({ title, isOpen, onClose, isDismissable = true, isAlert, children }: WindowProps) {
  const { isAsked } = useSession();
  useEffect(() => {
    if (!isOpen) return;
    addToOpen(1);
    return () => addToOpen(-1);
  }, [isOpen]);
  return (
    <ModalOverlay
      className="veil"
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable={isDismissable}
      isKeyboardDismissDisabled={!isDismissable}
    >
      <Modal className="window">
        <Dialog role={isAlert === true ? "alertdialog" : "dialog"} className="window-body">
          <Heading slot="title" level={2}>
            {visible(isAsked ? "Sign in to go on" : title)}
          </Heading>
          {isAsked && <p>{SIGN_IN_LEAD}</p>}
          {isAsked && <SignInForm />}
          {/* What was typed is still there afterwards. */}
          <div className="window-form" hidden={isAsked}>
            {children}
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

interface FormProps {
  readonly onSubmit: () => void;
  /** Whether Enter also counts while no field has the focus. @default true */
  readonly isQuick?: boolean;
  readonly children: ReactNode;
}

/** The content of a window: Enter does what its button of type `submit` does. */
export function Form({ onSubmit, isQuick = true, children }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (!isQuick) return;
    const press = ({ key, target, repeat }: KeyboardEvent) => {
      const isWindow = target instanceof Element && target.getAttribute("role")?.endsWith("dialog") === true;
      if (key === "Enter" && !repeat && isWindow && target.contains(form.current))
        form.current?.requestSubmit();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [isQuick]);
  function submit(event: FormEvent) {
    event.preventDefault();
    onSubmit();
  }
  return (
    <form ref={form} className="window-form" onSubmit={submit}>
      {children}
    </form>
  );
}

/**
 * What a window asks: what it was opened with, whatever somebody else does meanwhile.
 *
 * @param now what would be asked if it were opened now; undefined where nothing can be done
 */
export function useAsked<What extends string>(now: What | undefined) {
  const [opened, open] = useState<What>();
  return {
    what: opened ?? now,
    /** Somebody else has done it, or its opposite: nothing is left to confirm. */
    isOver: opened !== undefined && opened !== now,
    onOpenChange: (isOpen: boolean) => open(isOpen ? now : undefined),
  };
}

/** Said in a window whose question is over. */
function Over({ children }: { readonly children: ReactNode }) {
  return (
    <p role="alert" className="bad">
      {children} Nothing is left to confirm here.
    </p>
  );
}

interface ConfirmWindowProps {
  readonly title: string;
  /** The text of the button that confirms. */
  readonly action: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly isDangerous?: boolean;
  readonly isReady?: boolean;
  /** What somebody else has done meanwhile, so that nothing is left to confirm; false if nobody has. @default false */
  readonly over?: ReactNode;
  readonly onConfirm: () => Promise<void>;
  /** What will happen. */
  readonly children: ReactNode;
}

/** A window that asks before something is done, and shows why it failed. */
export function ConfirmWindow({ title, isOpen, onClose, ...asked }: ConfirmWindowProps) {
  return (
    <Window title={title} isOpen={isOpen} onClose={onClose} isAlert>
      <Question title={title} onClose={onClose} {...asked} />
    </Window>
  );
}

/** What a window asks, as long as it is open: one that is opened again asks anew. */
function Question({
  title,
  action,
  onClose,
  isDangerous = false,
  isReady = true,
  over = false,
  onConfirm,
  children,
}: Omit<ConfirmWindowProps, "isOpen">) {
  const [isPending, setPending] = useState(false);
  // What this window does itself can be on the page before its answer comes.
  const isOver = over !== false && !isPending;
  const [thrown, setThrown] = useState<unknown>(null);
  const late = useLate(title);

  async function confirm() {
    setPending(true);
    setThrown(null);
    try {
      await onConfirm();
      if (!late.isLeft()) onClose();
    } catch (refusal) {
      if (!late.tell(refusal)) setThrown(refusal);
    } finally {
      setPending(false);
    }
  }

  return (
    <Form isQuick={!isDangerous} onSubmit={() => isReady && !isOver && !isPending && void confirm()}>
      <div className="window-text">
        {isOver && <Over>{over}</Over>}
        {children}
      </div>
      {thrown !== null && <ActProblem thrown={thrown} />}
      <div className="window-actions">
        <Button className="button" onPress={onClose}>
          Not now
        </Button>
        <Button
          type="submit"
          className={isDangerous ? "button danger main" : "button main"}
          isPending={isPending}
          isDisabled={!isReady || isOver}
        >
          {action}
        </Button>
      </div>
    </Form>
  );
}

interface ConfirmProps extends Omit<ConfirmWindowProps, "isOpen" | "onClose"> {
  /** The text of the button on the page. */
  readonly label: string;
  /** The button on the page. */
  readonly isSmall?: boolean;
  readonly onOpenChange?: (isOpen: boolean) => void;
}

/** A button that asks before it acts. */
export function ConfirmButton({ label, isSmall = false, onOpenChange = () => {}, ...asked }: ConfirmProps) {
  const [isOpen, set] = useState(false);
  function setOpen(open: boolean) {
    set(open);
    onOpenChange(open);
  }
  return (
    <>
      <Button
        className={`button ${asked.isDangerous === true ? "danger" : ""} ${isSmall ? "small" : ""}`}
        onPress={() => setOpen(true)}
      >
        {label}
      </Button>
      <ConfirmWindow {...asked} isOpen={isOpen} onClose={() => setOpen(false)} />
    </>
  );
}
