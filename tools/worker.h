// A model behind a line protocol, so that a harness can time several engines in alternation.
#ifndef MOKA_TOOLS_WORKER_H_
#define MOKA_TOOLS_WORKER_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace moka::tools {

// Reads inputs, loads the model, runs it once, prints {"ready":1,"import_rss_kb":K,"load_ms":T,"first_ms":T}, K taken
// before the model is there, then answers the lines of standard input, one line each:
//   run       milliseconds of one inference, its results read, as a plain number
//   mem       {"peak_kb":K,"rss_kb":K}: resident memory of the process, the most so far and now
//   save DIR  writes DIR/NAME.npy for each result of the last run; prints "saved"
//   quit      ends, as the end of the input does
// What cannot be done is answered by a line {"error":"..."}; a model that cannot run ends the process instead. Nothing
// else goes to standard output. Memory is read from /proc and 0 elsewhere than on Linux. Returns an ExitCode.
int Work(const RunOptions& options, const std::vector<std::string>& sizes);

}  // namespace moka::tools

#endif  // MOKA_TOOLS_WORKER_H_
