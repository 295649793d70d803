// Opened from a folder (file://) a page may fetch nothing, so the theme's search stays empty. Then this small search takes
// its place: it loads search_index.js as a script and looks for sections that contain every word.
(() => {
  if (location.protocol !== "file:") return;
  const root = document.querySelector('script[src$="search.js"]').src.replace(/search\.js$/, "");
  let dialog, input, list;

  function build() {
    dialog = document.createElement("dialog");
    dialog.className = "folder-search";
    dialog.setAttribute("aria-label", "Search");
    input = Object.assign(document.createElement("input"), { type: "search", placeholder: "Search", ariaLabel: "Search" });
    list = document.createElement("ul");
    dialog.append(input, list);
    document.body.append(dialog);
    input.addEventListener("input", show);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    const script = document.createElement("script");
    script.src = root + "search_index.js";
    script.addEventListener("load", show);
    document.head.append(script);
  }

  function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = !words.length ? [] : (window.searchIndex || [])
      .map(([address, title, text]) => {
        const inTitle = title.toLowerCase(), inText = text.toLowerCase();
        const hits = words.every((word) => inTitle.includes(word) || inText.includes(word));
        return { address, title, text, score: hits ? 1 + 4 * words.filter((word) => inTitle.includes(word)).length : 0 };
      })
      .filter((entry) => entry.score)
      .sort((a, b) => b.score - a.score)
      .slice(0, 30);
    list.replaceChildren(...found.map(({ address, title, text }) => {
      const link = Object.assign(document.createElement("a"), { href: root + address, textContent: title });
      const start = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
      const excerpt = Object.assign(document.createElement("small"), { textContent: text.slice(start, start + 140) });
      const item = document.createElement("li");
      item.append(link, document.createElement("br"), excerpt);
      return item;
    }));
    if (words.length && !found.length) list.textContent = "Nothing found.";
  }

  function open(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!dialog) build();
    dialog.showModal();
    input.focus();
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest('.md-search, [for="__search"], [data-md-component="search"], .md-search__button')) open(event);
  }, true);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea");
    if (!typing && (event.key === "/" || (event.key === "k" && (event.ctrlKey || event.metaKey)))) open(event);
  }, true);
})();
