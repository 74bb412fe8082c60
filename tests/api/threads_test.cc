// One model, many sessions, many threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include "graph/session_impl.h"
#include "tests/api/small_models.h"
#include "tests/base/round_robin.h"

namespace moka {
namespace {

using test::ConvNetBytes;
using test::RandomTensor;
using test::RoundRobin;

TEST(Threads, ResultsAreBitIdenticalForAnyNumber) {
  const std::string bytes = ConvNetBytes();
  const Model model = *Model::FromMemory(bytes);
  const Tensor image = RandomTensor({2, 3, 65, 63});
  std::optional<Tensor> expected;
  for (int workers : {1, 2, 3, 7}) {
    RoundRobin executor(workers);
    for (const bool own_threads : {false, true}) {
      SessionOptions options;
      options.threads = workers;
      if (!own_threads) options.executor = &executor;
      auto session = Session::Create(model, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      const auto got = session->Run({image.view()});
      ASSERT_TRUE(got.ok()) << got.status().message();
      if (!expected.has_value()) expected = (*got)[0];
      EXPECT_EQ(std::memcmp((*got)[0].data(), expected->data(), expected->bytes()), 0) << workers << " workers";
    }
    EXPECT_GE(executor.used(), static_cast<size_t>(std::min(workers, 3)));
  }
}

TEST(Threads, SessionsShareOneModel) {
  const std::string bytes = ConvNetBytes(16);
  const Model model = *Model::FromMemory(bytes);
  const std::vector<Shape> shapes = {{1, 3, 20, 20}, {2, 3, 16, 24}, {1, 3, 33, 9}};
  std::vector<Tensor> inputs, expected;
  int64_t alive_alone = 0, plans_alone = 0;
  {
    auto session = Session::Create(model, {});
    for (const Shape& shape : shapes) {
      inputs.push_back(RandomTensor(shape));
      expected.push_back((*session->Run({inputs.back().view()}))[0]);
    }
    alive_alone = model.impl()->weights().counts().alive;
    plans_alone = static_cast<int64_t>(shapes.size());
  }
  EXPECT_GT(alive_alone, 0);
  EXPECT_EQ(plans_alone, 3);
  EXPECT_EQ(model.impl()->weights().counts().alive, 0) << "nobody holds them any more";
  constexpr int kThreads = 6;
  std::atomic<int> wrong{0}, arrived{0};
  std::vector<std::thread> threads;
  std::vector<std::optional<Session>> sessions(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      SessionOptions options;
      options.threads = 1 + t % 2;
      auto session = Session::Create(model, options);
      if (!session.ok()) {
        ++wrong;
        return;
      }
      ++arrived;
      while (arrived < kThreads && wrong == 0) std::this_thread::yield();
      for (int i = 0; i < 12; ++i) {
        const size_t k = static_cast<size_t>(i + t) % shapes.size();
        const auto got = session->Run({inputs[k].view()});
        if (!got.ok() || std::memcmp((*got)[0].data(), expected[k].data(), expected[k].bytes()) != 0) ++wrong;
      }
      sessions[static_cast<size_t>(t)] = std::move(session).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(model.impl()->weights().counts().alive, alive_alone) << "packs are shared";
  EXPECT_GT(model.impl()->weights().counts().shared, 0);
}

}  // namespace
}  // namespace moka
