// A doubly linked list through its elements: a state is membership of one list, and leaving it is O(1).
//
// Owner:  whoever owns the elements; the list owns nothing. Hot path: no allocation.
// Errors: inserting what is already in a list through the same hook, or destroying a hook or list that is
//         still in use, is our bug and aborts.
#pragma once

#include <cstddef>

#include "src/base/check.h"

namespace pgring {

template <class T>
struct ListHook {
  T* previous = nullptr;
  T* next = nullptr;
  void* list = nullptr;  // the list it is in

  ListHook() = default;
  ~ListHook() { POOLER_CHECK(list == nullptr); }
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  [[nodiscard]] bool linked() const { return list != nullptr; }
};

template <class T, ListHook<T> T::* Hook>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  ~IntrusiveList() { POOLER_CHECK(size_ == 0); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T* front() const { return first_; }
  [[nodiscard]] T* back() const { return last_; }
  [[nodiscard]] static T* next(const T& element) { return (element.*Hook).next; }
  [[nodiscard]] bool contains(const T& element) const { return (element.*Hook).list == this; }

  void push_back(T& element) {
    auto& hook = element.*Hook;
    POOLER_CHECK(hook.list == nullptr);
    hook.list = this;
    hook.previous = last_;
    (last_ == nullptr ? first_ : (last_->*Hook).next) = &element;
    last_ = &element;
    ++size_;
  }

  void push_front(T& element) {
    auto& hook = element.*Hook;
    POOLER_CHECK(hook.list == nullptr);
    hook.list = this;
    hook.next = first_;
    (first_ == nullptr ? last_ : (first_->*Hook).previous) = &element;
    first_ = &element;
    ++size_;
  }

  void erase(T& element) {
    auto& hook = element.*Hook;
    POOLER_CHECK(hook.list == this);
    (hook.previous == nullptr ? first_ : (hook.previous->*Hook).next) = hook.next;
    (hook.next == nullptr ? last_ : (hook.next->*Hook).previous) = hook.previous;
    hook.previous = hook.next = nullptr;
    hook.list = nullptr;
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pgring
