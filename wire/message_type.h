// Message types, spelled as in PostgreSQL's documentation (protocol-message-formats).
#pragma once

namespace wire {

// First byte of a message from a client ("frontend").
namespace frontend {
inline constexpr char Bind = 'B';
inline constexpr char Close = 'C';
inline constexpr char CopyData = 'd';
inline constexpr char CopyDone = 'c';
inline constexpr char CopyFail = 'f';
inline constexpr char Describe = 'D';
inline constexpr char Execute = 'E';
inline constexpr char Flush = 'H';
inline constexpr char FunctionCall = 'F';
inline constexpr char Parse = 'P';
inline constexpr char Password = 'p';  // also SASLInitialResponse and SASLResponse
inline constexpr char Query = 'Q';
inline constexpr char Sync = 'S';
inline constexpr char Terminate = 'X';
}  // namespace frontend

// First byte of a message from a server ("backend").
namespace backend {
inline constexpr char Authentication = 'R';
inline constexpr char BackendKeyData = 'K';
inline constexpr char BindComplete = '2';
inline constexpr char CloseComplete = '3';
inline constexpr char CommandComplete = 'C';
inline constexpr char CopyBothResponse = 'W';
inline constexpr char CopyData = 'd';
inline constexpr char CopyDone = 'c';
inline constexpr char CopyInResponse = 'G';
inline constexpr char CopyOutResponse = 'H';
inline constexpr char DataRow = 'D';
inline constexpr char EmptyQueryResponse = 'I';
inline constexpr char ErrorResponse = 'E';
inline constexpr char FunctionCallResponse = 'V';
inline constexpr char NegotiateProtocolVersion = 'v';
inline constexpr char NoData = 'n';
inline constexpr char NoticeResponse = 'N';
inline constexpr char NotificationResponse = 'A';
inline constexpr char ParameterDescription = 't';
inline constexpr char ParameterStatus = 'S';
inline constexpr char ParseComplete = '1';
inline constexpr char PortalSuspended = 's';
inline constexpr char ReadyForQuery = 'Z';
inline constexpr char RowDescription = 'T';
}  // namespace backend

// The status byte of ReadyForQuery.
enum class TransactionStatus : char { idle = 'I', in_transaction = 'T', failed = 'E' };

}  // namespace wire
