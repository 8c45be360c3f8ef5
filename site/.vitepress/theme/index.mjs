// VitePress's own theme, with the fonts of the reader's system, and styles of its own.
import theme from "vitepress/theme-without-fonts";
import "./docs.css";
import "./landing.css";

export default theme;
