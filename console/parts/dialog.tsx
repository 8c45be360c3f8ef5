import { type ReactNode, useState } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { ProblemNote } from "./states.tsx";
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

/** A modal window, which keeps the focus until it is closed. */
export function Window({ title, isOpen, onClose, isDismissable = true, isAlert, children }: WindowProps) {
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
            {visible(title)}
          </Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

interface ConfirmProps {
  /** The text of the button on the page. */
  readonly label: string;
  readonly title: string;
  /** The text of the button that confirms. */
  readonly action: string;
  readonly isDangerous?: boolean;
  /** The button on the page. */
  readonly isSmall?: boolean;
  readonly isReady?: boolean;
  readonly onOpenChange?: (isOpen: boolean) => void;
  readonly onConfirm: () => Promise<void>;
  /** What will happen. */
  readonly children: ReactNode;
}

/** A button that asks before it acts, and shows why it failed. */
export function ConfirmButton({
  label,
  title,
  action,
  isDangerous = false,
  isSmall = false,
  isReady = true,
  onOpenChange = () => {},
  onConfirm,
  children,
}: ConfirmProps) {
  const [isOpen, set] = useState(false);
  const [isPending, setPending] = useState(false);
  const [thrown, setThrown] = useState<unknown>(null);

  function setOpen(open: boolean) {
    set(open);
    setThrown(null);
    onOpenChange(open);
  }

  async function confirm() {
    setPending(true);
    setThrown(null);
    try {
      await onConfirm();
      setOpen(false);
    } catch (refusal) {
      setThrown(refusal);
    } finally {
      setPending(false);
    }
  }

  return (
    <>
      <Button
        className={`button ${isDangerous ? "danger" : ""} ${isSmall ? "small" : ""}`}
        onPress={() => setOpen(true)}
      >
        {label}
      </Button>
      <Window title={title} isOpen={isOpen} onClose={() => setOpen(false)} isAlert>
        <div className="window-text">{children}</div>
        {thrown !== null && <ProblemNote thrown={thrown} />}
        <div className="window-actions">
          <Button className="button" onPress={() => setOpen(false)}>
            Not now
          </Button>
          <Button
            className={isDangerous ? "button danger main" : "button main"}
            isPending={isPending}
            isDisabled={!isReady}
            onPress={() => void confirm()}
          >
            {action}
          </Button>
        </div>
      </Window>
    </>
  );
}
