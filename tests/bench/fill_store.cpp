// Fills a store with finished runs through its own writer, as a collector that has run for months would have: for tests/bench/start.
#include "collector/log_chunk.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "tests/bench/bench_run.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) {
  using namespace runfold;
  CLI::App app{"Fills a store with runs."};
  std::string path;
  std::uint32_t runs = 1'000'000;
  std::uint32_t running = 1'000;
  bench::BenchRun shape;
  app.add_option("--store", path, "the SQLite file")->required();
  app.add_option("--runs", runs, "how many");
  app.add_option("--running", running, "of which these many, the last ones, have not ended");
  app.add_option("--steps", shape.steps, "of each");
  app.add_option("--log-records", shape.log_records, "of each, in one chunk");
  CLI11_PARSE(app, argc, argv);

  constexpr std::uint32_t kRunsACommit = 20'000;
  try {
    const auto store = collector::open_sqlite_store(path).value();
    const auto writer = store->writer().value();
    collector::Fold fold;
    std::int64_t offset = 0;
    for (std::uint32_t first = 0; first < runs; first += kRunsACommit) {
      for (shape.number = first; shape.number < std::min(runs, first + kRunsACommit); ++shape.number) {
        shape.finished = shape.number + running < runs;
        bench::fold_run(fold, shape, offset);
      }
      auto folded = fold.take();
      fold.clear();
      collector::Batch batch;
      batch.runs = std::move(folded.runs);
      batch.run_logs = std::move(folded.run_logs);
      for (auto& logs : folded.pending_logs) batch.log_chunks.push_back(collector::to_chunk(std::move(logs)));
      writer->commit(batch).value();
    }
    const auto stands = writer->trim({}, {}).value();
    std::cout << R"({"runs": )" << runs << R"(, "file_bytes": )" << stands.file_bytes << R"(, "runs_bytes": )" << stands.runs_bytes
              << R"(, "logs_bytes": )" << stands.logs_bytes << "}\n";
  } catch (const std::exception& error) {
    std::cerr << "fill_store: " << error.what() << "\n";
    return 1;
  }
}
