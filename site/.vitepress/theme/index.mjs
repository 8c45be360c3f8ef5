// VitePress's own theme, with the fonts of the reader's system, and the first page's styles.
import theme from "vitepress/theme-without-fonts";
import "./landing.css";

export default theme;
