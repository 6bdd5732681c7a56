// `pgring run`: starts the shards, then waits for signals and for what the console asks.
#include "src/process/run.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <future>
#include <mutex>
#include <thread>

#include "src/base/version.h"
#include "src/config/config_keys.h"
#include "src/config/config_load.h"
#include "src/log/log.h"
#include "src/process/check_command.h"
#include "src/process/exit_code.h"
#include "src/process/limits.h"
#include "src/process/listeners.h"
#include "src/process/notify.h"
#include "src/server/address.h"
#include "src/shard/shard.h"
#include "src/tls/tls_context.h"
#include "wire/random.h"

namespace pgring {
namespace {

// How often certificates are looked at: a process may run for longer than they are good.
constexpr int certificate_check_ms = 12 * 60 * 60 * 1000;

// Work for the main thread from shards.
class Control {
 public:
  using Task = std::function<void()>;
  Control() : file_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}
  ~Control() { ::close(file_); }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  void post(Task task) {
    {
      const std::scoped_lock lock{mutex_};
      tasks_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    const auto written = ::write(file_, &one, sizeof one);
    (void)written;  // full means it is awake already
  }
  void run() {
    std::uint64_t count = 0;
    const auto got = ::read(file_, &count, sizeof count);
    (void)got;  // nothing there: nothing to do
    std::vector<Task> tasks;
    {
      const std::scoped_lock lock{mutex_};
      tasks.swap(tasks_);
    }
    for (auto& task : tasks) task();
  }
  [[nodiscard]] int file() const { return file_; }

 private:
  std::mutex mutex_;
  std::vector<Task> tasks_;
  int file_;
};

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

void pin_thread(std::uint32_t index) {
  cpu_set_t usable;
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return;
  const auto count = static_cast<std::uint32_t>(CPU_COUNT(&usable));
  std::uint32_t skip = index % count;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &usable) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (::pthread_setaffinity_np(::pthread_self(), sizeof one, &one) != 0) {
      log::warning("shard could not be pinned to its core", {{"shard", index}});
    }
    return;
  }
}

class Pooler {
 public:
  Pooler(Config config, std::string path)
      : config_path_{std::move(path)},
        runtime_{std::make_shared<const Runtime>(make_runtime(std::move(config)))},
        first_{runtime_},
        shared_{shard_count(runtime_->config.shards, read_host_limits())},
        shard_count_{shard_count(runtime_->config.shards, read_host_limits())} {}

  int run() {
    const sigset_t signals = handled_signals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    const int signal_file = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    log::start(runtime_->config.log);
    const int code = signal_file < 0 ? exit_failure : serve(signal_file);
    log::stop();
    if (signal_file >= 0) ::close(signal_file);
    return code;
  }

 private:
  int serve(int signal_file);
  bool start_shards(int& code);
  void wait(int signal_file);
  void signalled(int signal);
  void live(Life life);
  [[nodiscard]] std::string reload();
  void report_problems() const;
  void warn_of_certificates() const;

  std::string config_path_;
  std::shared_ptr<const Runtime> runtime_;
  std::shared_ptr<const Runtime> first_;  // what is fixed at start is compared with this one
  Control control_;
  Shared shared_;
  std::uint32_t shard_count_;
  Listeners listeners_;
  std::vector<std::thread> threads_;
  std::uint32_t running_ = 0;
};

int Pooler::serve(int signal_file) {
  shared_.mock_secret.resize(32);
  if (!wire::fill_random(std::as_writable_bytes(std::span{shared_.mock_secret}))) {
    log::error("no random bytes to be had", {});
    return exit_failure;
  }
  shared_.service_user_id = ::geteuid();
  shared_.service_user_name = system_name(shared_.service_user_id).value_or(std::string{});
  shared_.started_at = static_cast<std::int64_t>(::time(nullptr));
  shared_.ask_life = [this](Life life) { control_.post([this, life] { live(life); }); };
  shared_.ask_reload = [this](std::function<void(std::string)> done) {
    control_.post([this, done = std::move(done)] { done(reload()); });
  };
  auto opened = open_listeners(runtime_->config.listen, shard_count_);
  if (!opened) {
    log::error(opened.error(), {});
    return exit_failure;
  }
  listeners_ = std::move(opened).value();
  shared_.placement.configure(runtime_->config, {});
  report_problems();

  int code = exit_ok;
  if (start_shards(code)) {
    std::string names;
    for (const auto& name : listeners_.names) names += (names.empty() ? "" : " ") + name;
    log::info("pgring is ready", {{"version", version()},
                                  {"shards", shard_count_},
                                  {"listen", names},
                                  {"config", config_path_}});
    notify_service_manager("READY=1\nSTATUS=ready, listening on " + names);
    wait(signal_file);
    notify_service_manager("STOPPING=1");
  }
  for (auto& thread : threads_) thread.join();
  remove_unix_socket(listeners_);
  log::info("pgring has stopped", {});
  return code;
}

bool Pooler::start_shards(int& code) {
  for (std::uint32_t index = 0; index < shard_count_; ++index) {
    shared_.shards.push_back(std::make_unique<Shard>(shared_, index, runtime_));
  }
  std::vector<std::future<std::optional<ring::SetupError>>> opened;
  std::promise<bool> go;
  const std::shared_future<bool> may_go = go.get_future().share();
  for (std::uint32_t index = 0; index < shard_count_; ++index) {
    std::promise<std::optional<ring::SetupError>> promise;
    opened.push_back(promise.get_future());
    threads_.emplace_back([this, index, may_go, promise = std::move(promise)]() mutable {
      if (runtime_->config.shards.pin) pin_thread(index);
      Shard& shard = *shared_.shards[index];
      auto error = shard.open();
      const bool failed = error.has_value();
      promise.set_value(std::move(error));
      // Nobody serves before all can.
      if (!may_go.get() || failed) return;
      for (const auto& listener : listeners_.sockets) {
        if (listener.shard == index) shard.listen(listener.socket);
      }
      shard.run();
      control_.post([this] { --running_; });
    });
  }
  bool ok = true;
  for (auto& result : opened) {
    const auto error = result.get();
    if (!error) continue;
    if (ok) log::error(error->message, {{"hint", error->hint}});
    code = exit_unavailable;
    ok = false;
  }
  if (ok) running_ = shard_count_;
  go.set_value(ok);
  return ok;
}

void Pooler::wait(int signal_file) {
  while (running_ > 0) {
    std::array<pollfd, 2> files{{{signal_file, POLLIN, 0}, {control_.file(), POLLIN, 0}}};
    const int ready = ::poll(files.data(), files.size(), certificate_check_ms);
    if (ready < 0 && errno != EINTR) return;
    if (ready == 0) warn_of_certificates();
    signalfd_siginfo info{};
    while (::read(signal_file, &info, sizeof info) == ssize_t{sizeof info})
      signalled(static_cast<int>(info.ssi_signo));
    control_.run();
  }
}

void Pooler::signalled(int signal) {
  const Life life = shared_.life.load();
  switch (signal) {
    case SIGHUP:
      if (const auto errors = reload(); !errors.empty())
        log::error("reload failed, the configuration stays", {{"errors", errors}});
      return;
    case SIGTERM:
      return live(life == Life::serving ? Life::draining : Life::stopping);
    case SIGINT:
      return live(life == Life::finishing || life == Life::stopping ? Life::stopping
                                                                    : Life::finishing);
    case SIGQUIT:
      return live(Life::stopping);
    default:
      return;
  }
}

void Pooler::live(Life life) {
  if (life <= shared_.life.load()) return;
  shared_.life = life;
  const std::string_view what = life == Life::draining ? "draining: waiting for clients to leave"
                                : life == Life::finishing
                                    ? "finishing: waiting for transactions to end"
                                    : "stopping";
  log::info("shutting down", {{"mode", what}});
  notify_service_manager("STATUS=" + std::string{what});
  for (const auto& shard : shared_.shards) {
    Shard* const target = shard.get();
    target->post([target] { target->apply_life(); });
  }
}

// Empty: applied. Else the errors, and everything stays as it is.
std::string Pooler::reload() {
  auto loaded = load_config(config_path_);
  if (!loaded) return to_text(loaded.error().errors);
  auto runtime = std::make_shared<const Runtime>(make_runtime(std::move(loaded->config)));
  for (const auto& change : fixed_changes(first_->config, runtime->config)) {
    log::warning("this setting needs a restart to take effect",
                 {{"key", change.key}, {"running", change.running}, {"wanted", change.wanted}});
  }
  runtime_ = std::move(runtime);
  report_problems();
  warn_of_certificates();
  log::configure(runtime_->config.log);
  shared_.placement.configure(runtime_->config, {});
  shared_.scram_secrets.keep_only(runtime_->config.users);
  shared_.secret_lookups.forget();
  for (const auto& shard : shared_.shards) {
    Shard* const target = shard.get();
    target->post([target, runtime = runtime_] { target->reload(runtime); });
  }
  log::info("configuration reloaded", {{"config", config_path_}});
  return {};
}

void Pooler::report_problems() const {
  for (const auto& problem : runtime_->problems) log::warning(problem, {});
}

void Pooler::warn_of_certificates() const {
  for_each_context(runtime_->config.tls_contexts,
                   [](const std::string& side, const TlsContext& context) {
                     for (const auto& problem : context.warnings_at(tls_now()))
                       log::warning(problem.message, {{"tls", side}, {"hint", problem.hint}});
                   });
}

}  // namespace

int run_pooler(Config config, std::string config_path) {
  return Pooler{std::move(config), std::move(config_path)}.run();
}

}  // namespace pgring
