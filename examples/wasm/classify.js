// usage: node classify.js CLASSIFY_WASM.js MODEL.onnx IMAGES LABELS COUNT
// IMAGES and LABELS are the uncompressed IDX files of Fashion-MNIST. Prints how many of the first COUNT are right.
const fs = require('fs');

const [program, model, images, labels, count] = process.argv.slice(2);
const pixels = 28 * 28;

const wasmBinary = fs.readFileSync(program.replace(/\.js$/, '.wasm'));
require(require('path').resolve(program))({wasmBinary}).then((moka) => {
  const bytes = fs.readFileSync(model);
  moka.HEAPU8.set(bytes, moka._classify_model(bytes.length));
  if (moka._classify_load() !== 0) process.exit(1);
  const pictures = fs.readFileSync(images).subarray(16), truth = fs.readFileSync(labels).subarray(8);
  const said = [];
  const start = process.hrtime.bigint();
  for (let i = 0; i < Number(count); i++) {
    const input = moka._classify_input() / 4;
    for (let k = 0; k < pixels; k++) moka.HEAPF32[input + k] = pictures[i * pixels + k] / 255;
    said.push(moka._classify());
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const right = said.filter((label, i) => label === truth[i]).length;
  console.log(JSON.stringify({right, count: said.length, imagesPerSecond: said.length / seconds, said}));
});
