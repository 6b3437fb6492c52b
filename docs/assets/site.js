// Sounds: one at a time, a line over the spectrogram, a click on it goes there. Figures: drawn in the page's colours.
(function () {
  "use strict";
  const players = [...document.querySelectorAll("audio")];
  players.forEach((audio) => {
    audio.addEventListener("play", () => players.forEach((other) => other !== audio && other.pause()));
    const screen = audio.parentNode.querySelector(":scope > .tb-screen");
    if (!screen) return;
    const line = screen.querySelector("i");
    const place = () => {
      if (!audio.duration) return;
      line.style.opacity = audio.currentTime > 0 ? 0.85 : 0;
      line.style.left = (100 * audio.currentTime) / audio.duration + "%";
    };
    const run = () => { place(); if (!audio.paused) requestAnimationFrame(run); };
    audio.addEventListener("play", run);
    audio.addEventListener("timeupdate", place);
    audio.addEventListener("seeked", place);
    screen.addEventListener("click", (event) => {
      const box = screen.getBoundingClientRect();
      const go = () => { audio.currentTime = (audio.duration * (event.clientX - box.left)) / box.width; audio.play(); };
      if (audio.duration) go();
      else { audio.addEventListener("loadedmetadata", go, { once: true }); audio.load(); }
    });
  });

  // Blocks that scroll can be reached and scrolled with the keyboard.
  document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap").forEach((block) => {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
  });

  const figures = [...document.querySelectorAll(".tb-plotly")];
  if (!figures.length || !window.Plotly) return;
  const draw = (figure) => {
    const told = JSON.parse(figure.querySelector("script").textContent);
    const style = getComputedStyle(document.body);
    const ink = style.getPropertyValue("--md-default-fg-color").trim() || style.color;
    const soft = style.getPropertyValue("--md-default-fg-color--lightest").trim() || "#8884";
    const layout = { ...told.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true };
    layout.font = { ...layout.font, color: ink };
    delete layout.width;
    for (const name of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(name)) layout[name] = { ...layout[name], gridcolor: soft, zerolinecolor: soft };
    }
    for (const name of ["xaxis", "yaxis"]) layout[name] = { gridcolor: soft, zerolinecolor: soft, ...layout[name] };
    let place = figure.querySelector("div.tb-place");
    if (!place) { place = document.createElement("div"); place.className = "tb-place"; figure.appendChild(place); }
    window.Plotly.react(place, told.data, layout, { responsive: true, displayModeBar: false });
  };
  figures.forEach(draw);
  new MutationObserver(() => figures.forEach(draw)).observe(document.body, {
    attributes: true, attributeFilter: ["data-md-color-scheme"],
  });
})();
